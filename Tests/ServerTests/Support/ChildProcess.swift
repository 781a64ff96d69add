import Foundation
import Glibc
import Synchronization

/// A program started by a test. It is killed when the test drops it, and when the tests die.
final class ChildProcess: Sendable {
    /// How a program ended.
    enum Status: Sendable, Equatable { case exited(Int32), killed(signal: Int32) }

    struct Timeout: Error, CustomStringConvertible {
        var description: String
    }

    let identifier: pid_t
    private let state: Mutex<State>

    private struct State {
        /// Standard output and standard error: the descriptors, `-1` when closed, and what was read.
        var descriptors: [Int32]
        var received: [[UInt8]] = [[], []]
        var status: Status?
    }

    /// Starts a program in a folder, with empty standard input.
    ///
    /// - Parameter descriptors: the soft and the hard limit of open files.
    init(
        _ path: String, _ arguments: [String], environment: [String: String], folder: String,
        descriptors: (soft: Int, hard: Int)? = nil
    ) throws {
        let output = try Pipe()
        let errors = try Pipe()
        defer {
            close(output.writing)
            close(errors.writing)
        }
        // Each program becomes the next: setpriv makes it end with this process, env changes the folder, prlimit the
        // limits.
        let limits = descriptors.map { ["prlimit", "--nofile=\($0.soft):\($0.hard)"] } ?? []
        let words = SpawningThread.setpriv + ["/usr/bin/env", "-C", folder] + limits + [path] + arguments
        let variables = environment.map { "\($0)=\($1)" }
        do {
            identifier = try SpawningThread.run { [output, errors] in
                try Self.spawn(words, variables, output.writing, errors.writing)
            }
        } catch {
            close(output.reading)
            close(errors.reading)
            throw error
        }
        state = Mutex(State(descriptors: [output.reading, errors.reading]))
    }

    deinit {
        if status == nil {
            kill(identifier, SIGKILL)
            var ignored: Int32 = 0
            // Unsafe: writes one integer.
            _ = unsafe waitpid(identifier, &ignored, 0)
        }
        for descriptor in state.withLock({ $0.descriptors }) where descriptor >= 0 { close(descriptor) }
    }

    /// What has been read from standard output so far.
    var output: String { state.withLock { String(decoding: $0.received[0], as: UTF8.self) } }
    /// What has been read from standard error so far.
    var errors: String { state.withLock { String(decoding: $0.received[1], as: UTF8.self) } }
    private var status: Status? { state.withLock { $0.status } }

    /// Sends a signal.
    func signal(_ signal: Int32) {
        // After the process was waited for, its number may belong to another one.
        if status == nil { kill(identifier, signal) }
    }

    /// Waits until the text on standard error is enough.
    ///
    /// - Returns: `false` if the program ended first.
    func waitForErrors(within seconds: Int = 30, _ isEnough: (String) -> Bool) throws -> Bool {
        try read(within: seconds, "wait for a log line", until: isEnough)
        return isEnough(errors)
    }

    /// Waits until the text on standard output is enough.
    ///
    /// - Returns: `false` if the program ended first.
    func waitForOutput(within seconds: Int = 30, _ isEnough: (String) -> Bool) throws -> Bool {
        try read(within: seconds, "wait for output") { _ in isEnough(output) }
        return isEnough(output)
    }

    /// Whether the program has ended by now.
    func hasEnded() throws -> Bool {
        try read(within: 0, "look", until: { _ in false }, isPatient: false)
        return state.withLock { $0.descriptors.allSatisfy { $0 < 0 } }
    }

    /// Waits until the program has ended, and reads everything that it writes.
    func waitForExit(within seconds: Int = 30) throws -> Status {
        if let status { return status }
        try read(within: seconds, "wait for the end") { _ in false }
        var code: Int32 = 0
        // Unsafe: writes one integer. It returns at once, or nearly, because both streams have ended.
        guard uninterrupted({ Int(unsafe waitpid(identifier, &code, 0)) }) == identifier else {
            throw SocketError(action: "waitpid", code: errno)
        }
        // WIFEXITED and its relatives are macros, which Swift does not import.
        let status = code & 0x7f == 0 ? Status.exited(code >> 8 & 0xff) : .killed(signal: code & 0x7f)
        state.withLock { $0.status = status }
        return status
    }

    /// Waits until the program has ended, while nobody reads its output.
    func waitForExitWithoutReading(within seconds: Int) throws -> Status {
        var code: Int32 = 0
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            // Unsafe: writes one integer.
            if unsafe waitpid(identifier, &code, WNOHANG) == identifier { break }
            if ContinuousClock.now >= deadline { throw Timeout(description: "\(seconds) s were not enough to end") }
            usleep(5000)
        }
        let status = code & 0x7f == 0 ? Status.exited(code >> 8 & 0xff) : .killed(signal: code & 0x7f)
        state.withLock { $0.status = status }
        return status
    }

    /// Reads both streams until both have ended or it is enough. Without patience it reads only what is there.
    private func read(
        within seconds: Int,
        _ what: String,
        until isEnough: (_ errors: String) -> Bool,
        isPatient: Bool = true
    ) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var descriptors = state.withLock { $0.descriptors }
        while descriptors.contains(where: { $0 >= 0 }), !isEnough(errors) {
            // poll skips negative descriptors.
            var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let left = max(0, ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
            // Unsafe: as many pollfds are given as there are.
            guard uninterrupted({ Int(unsafe poll(&polled, nfds_t(polled.count), Int32(left))) }) > 0 else {
                if !isPatient { return }
                throw Timeout(description: "\(what): \(seconds) s were not enough; standard error:\n\(errors)")
            }
            for (index, entry) in polled.enumerated() where entry.revents != 0 {
                var buffer = [UInt8](repeating: 0, count: 65_536)
                // Unsafe: writes at most as many octets as given.
                let count = uninterrupted { unsafe Glibc.read(entry.fd, &buffer, 65_536) }
                state.withLock { state in
                    if count > 0 {
                        state.received[index] += buffer.prefix(count)
                    } else {
                        close(entry.fd)
                        state.descriptors[index] = -1
                    }
                }
            }
            descriptors = state.withLock { $0.descriptors }
        }
    }

    private struct Pipe {
        let reading: Int32
        let writing: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            // Unsafe: writes two descriptors.
            guard unsafe pipe(&ends) == 0 else { throw SocketError(action: "pipe", code: errno) }
            // Another child must not keep this one's streams open.
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            (reading, writing) = (ends[0], ends[1])
        }
    }

    // Unsafe: file actions and attributes are initialized before and destroyed after their use; the C strings live
    // until posix_spawn has copied them.
    private static func spawn(
        _ words: [String],
        _ variables: [String],
        _ output: Int32,
        _ errors: Int32
    ) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors, 2)

        // Ignored signals are inherited, and a library in this process may ignore some.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2] { unsafe sigaddset(&signals, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        let arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        let environment = unsafe variables.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
        var identifier: pid_t = 0
        let code = unsafe posix_spawn(&identifier, words[0], &actions, &attributes, arguments, environment)
        guard code == 0 else { throw SocketError(action: "start \(words[0])", code: code) }
        return identifier
    }
}
