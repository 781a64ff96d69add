import Foundation

/// System programs that tests use.
enum Command {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Starts a program, which is found as a shell finds it.
    static func start(
        _ words: [String],
        folder: String = ServerProcess.temporaryFolder
    ) throws -> ChildProcess {
        guard let program = words.first else { throw Failure(description: "no command") }
        let environment = ProcessInfo.processInfo.environment
        return try ChildProcess(program, Array(words.dropFirst()), environment: environment, folder: folder)
    }

    /// Runs a program, which must exit with 0.
    ///
    /// - Returns: what it wrote to standard output.
    @discardableResult
    static func run(_ words: [String]) throws -> String {
        let process = try start(words)
        let status = try process.waitForExit()
        guard status == .exited(0) else {
            throw Failure(description: "\(words.joined(separator: " ")): \(status) \(process.errors)")
        }
        return process.output
    }

    /// The same with single words.
    @discardableResult
    static func run(_ words: String...) throws -> String { try run(words) }

    /// Whether a program works here. It may not be permitted.
    static func works(_ words: String...) -> Bool {
        (try? start(words).waitForExit()) == .exited(0)
    }
}
