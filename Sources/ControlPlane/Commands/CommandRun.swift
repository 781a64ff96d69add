/// The run of a command: what goes wrong in it is one line on standard error.
public enum CommandRun {
    /// Runs a command.
    ///
    /// - Returns: the exit code: 0 if it is done, 1 if the server refused or can't be reached, or something is not
    ///   there, 2 if the arguments can't be right.
    public static func exitCode(_ body: () async throws -> Void) async -> Int32 {
        StandardOutput.ignoreBrokenPipes()
        do {
            try await body()
            return 0
        } catch let failure as CommandFailure {
            note(failure.description)
            return failure.exitCode
        } catch is CommandRefusal {
            return 1
        } catch {
            note("\(error)".escapingControls)
            return 1
        }
    }

    /// Writes a line to standard error.
    static func note(_ line: String) {
        _ = StandardError.write("\(line)\n")
    }
}

/// A command has said already what was refused.
struct CommandRefusal: Error {}
