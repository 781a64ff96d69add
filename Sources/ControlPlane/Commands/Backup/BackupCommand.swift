import Synchronization

/// `kong-discovery backup`: writes everything that is registered to a file, and checks what comes.
public struct BackupCommand: Sendable {
    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Makes a backup. The file appears, or replaces another one, when all of it is there and its check sum is right.
    ///
    /// - Parameters:
    ///   - path: `-` is standard output; then the summary goes to standard error.
    ///   - isJSON: whether the summary is JSON.
    public func run(file path: String, isJSON: Bool) async throws {
        let api = try APIClient(access)
        // Metadata may be secret.
        let file = path == "-" ? nil : try OutputFile(path: path, mode: 0o600)
        let download = BackupDownload(to: file)
        do throws(CommandFailure) {
            try await api.stream(.get, "/api/v1/backup", onOctets: { download.take($0) })
        } catch {
            download.clear()
            guard error.status == nil else { throw error }
            throw CommandFailure("\(error); there is no backup")
        }
        let summary = try download.finish()
        let text = isJSON ? summary.json(file: path) : "\(summary.words) saved to \(path.escapingControls)\n"
        if path == "-" {
            // What is asked for is the backup.
            CommandRun.note(String((isJSON ? text : summary.words + " saved\n").dropLast()))
        } else {
            try StandardOutput.write(text)
        }
    }
}

/// What a backup has.
private struct BackupSummary {
    var counts: BackupCounts
    var octets: Int
    var checksum: String

    var words: String { counts.words }

    func json(file: String) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("file")
        writer.string(file)
        counts.write(&writer)
        writer.member("octets")
        writer.integer(octets)
        writer.member("sha256")
        writer.string(checksum)
        writer.endObject()
        return String(decoding: writer.octets, as: UTF8.self) + "\n"
    }
}

/// A backup that comes, is checked and is written, on the thread on which it comes.
private final class BackupDownload: Sendable {
    private struct State: ~Copyable {
        var reader = BackupReader()
        let file: OutputFile?
        var octets = 0
        var problem: String?
        var failure: CommandFailure?
    }

    private let state: Mutex<State>
    private let progress = ProgressLine()

    /// - Parameter file: `nil`: standard output.
    init(to file: sending OutputFile?) {
        state = Mutex(State(file: file))
    }

    /// Takes the next octets.
    ///
    /// - Returns: whether to go on.
    func take(_ octets: [UInt8]) -> Bool {
        state.withLock { state in
            do throws(BackupProblem) {
                try state.reader.read(octets)
            } catch {
                state.problem = "\(error)"
                return false
            }
            do throws(CommandFailure) {
                if let file = state.file { try file.write(octets) } else { try StandardOutput.write(octets) }
            } catch {
                state.failure = error
                return false
            }
            state.octets += octets.count
            progress.show("\(state.reader.counts.instances) of \(state.reader.header?.counts.instances ?? 0) instances")
            return true
        }
    }

    /// Takes the progress off the terminal.
    func clear() { progress.clear() }

    /// Checks that all has come, and gives the file its name.
    func finish() throws -> BackupSummary {
        progress.clear()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            do throws(BackupProblem) {
                if let problem = state.problem { throw BackupProblem(reason: problem) }
                _ = try state.reader.finish()
            } catch {
                throw CommandFailure("what the server has sent is no whole backup, so there is none: \(error)")
            }
            if let file = state.file { try file.commit() }
            return BackupSummary(
                counts: state.reader.counts, octets: state.octets, checksum: state.reader.checksum ?? "")
        }
    }
}
