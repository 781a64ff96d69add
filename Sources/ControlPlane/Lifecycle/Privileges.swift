import CPrivileges
import Engine
import Glibc
import Logging
import NIOCore
import NIOPosix

/// What root can do and this server must not: it becomes another user once its sockets are open.
///
/// If ports are opened later, one thread keeps the right to do that, and ends with it. Rights belong to threads
/// (capabilities(7)): all others have none from ``drop()`` on.
final class Privileges: Sendable {
    private let account: Account
    private let portThread: MultiThreadedEventLoopGroup?

    /// - Parameters:
    ///   - account: the user to become.
    ///   - opensPortsLater: whether ``openPorts(_:)`` will be called after ``drop()``.
    /// - Returns: `nil` if the process stays who it is: nobody is named, or root has not started it.
    init?(_ account: Account?, opensPortsLater: Bool, _ logger: Logger) {
        guard let account else { return nil }
        guard geteuid() == 0 else {
            if geteuid() != account.user {
                logger.warning(
                    "only root can become another user: the server stays who it is",
                    metadata: ["user": "\(account.text)", "uid": "\(geteuid())"])
            }
            return nil
        }
        guard account.user != 0 else { return nil }
        self.account = account
        portThread = opensPortsLater ? MultiThreadedEventLoopGroup(numberOfThreads: 1) : nil
    }

    /// Becomes the user, for good. No thread can execute a program after that, nor gain privileges.
    ///
    /// - Throws: ``StartError`` if the system refuses.
    func drop() throws(StartError) {
        try onPortThread { keep_capabilities() }
        do throws(SystemError) {
            try account.assume()
        } catch {
            throw failure(error.number)
        }
        try onPortThread { limit_capabilities(1) }
        guard refuse_calls() == 0 else {
            throw StartError("user: the system takes no filter of calls (seccomp): \(FileReason.words(code: errno))")
        }
    }

    /// Opens sockets, with the right to open ports below 1024, and gives up that right.
    func openPorts<Failure>(_ open: @escaping @Sendable () throws(Failure) -> Void) throws(Failure) {
        guard let portThread else { return try open() }
        let opened = portThread.next().submit {
            defer { _ = limit_capabilities(0) }
            return Result { () throws(Failure) in try open() }
        }
        // The task throws nothing.
        let result = try? opened.wait()
        portThread.shutdownGracefully { _ in }
        try result?.get()
    }

    private func onPortThread(_ call: @escaping @Sendable () -> Int32) throws(StartError) {
        guard let portThread else { return }
        let called = portThread.next().submit { call() == 0 ? 0 : errno }
        let number = (try? called.wait()) ?? EPERM
        guard number == 0 else { throw failure(number) }
    }

    private func failure(_ number: Int32) -> StartError {
        StartError("user: can't become '\(account.text)': \(FileReason.words(code: number))")
    }
}
