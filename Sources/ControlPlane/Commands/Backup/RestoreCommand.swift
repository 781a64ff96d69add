import Synchronization

/// `kong-discovery restore`: has a server take in a backup.
public struct RestoreCommand: Sendable {
    /// How long nothing may move: the server answers when it has taken in everything.
    private static let silence = Duration.seconds(3600)

    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Restores.
    ///
    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - merges: whether the registry may have something already.
    ///   - isJSON: whether the counts are printed as JSON.
    public func run(file path: String, merges: Bool, isJSON: Bool) async throws {
        let api = try APIClient(access)
        let upload = BackupUpload(of: try InputFile(path: path))
        let answer = Mutex<[UInt8]>([])
        let body = HTTPClientUpload { upload.read($0) }
        do throws(CommandFailure) {
            defer { upload.progress.clear() }
            try await api.stream(
                .post, "/api/v1/restore", merges ? [("merge", "true")] : [],
                body: .upload(body, contentType: BackupFormat.contentType), silence: Self.silence,
                onOctets: { octets in
                    answer.withLock { $0 += octets }
                    return true
                })
        } catch {
            if let failure = upload.failure { throw failure }
            guard error.status == nil, upload.isSent else { throw error }
            throw CommandFailure("\(error); if the server has restored a part, the same with --merge completes it")
        }
        let octets = answer.withLock { $0 }
        if isJSON { return try StandardOutput.write(octets) }
        let counts = try api.json(APIClient.Answer(status: 200, body: octets))
        let (instances, replaced) = (counts["instances"].number ?? 0, counts["replaced"].number ?? 0)
        var text = BackupCounts(policies: counts["policies"].number ?? 0, instances: instances).words + " restored"
        if replaced > 0 { text += "; \(replaced) of the instances replaced others" }
        try StandardOutput.write(text + "\n")
    }
}

/// A backup that is read while it is sent, on the thread that sends.
private final class BackupUpload: Sendable {
    private struct State: ~Copyable {
        let file: InputFile
        var octets = 0
        var isSent = false
        var failure: CommandFailure?
    }

    let progress = ProgressLine()
    private let state: Mutex<State>

    init(of file: sending InputFile) {
        state = Mutex(State(file: file))
    }

    /// Why it can't be read.
    var failure: CommandFailure? { state.withLock { $0.failure } }

    /// Whether all of it was read.
    var isSent: Bool { state.withLock { $0.isSent } }

    /// Reads the next octets; none at the end, `nil` if that fails.
    func read(_ maximum: Int) -> [UInt8]? {
        state.withLock { state in
            do throws(CommandFailure) {
                let octets = try state.file.read(atMost: maximum)
                state.octets += octets.count
                state.isSent = octets.isEmpty
                let sent = "\(state.octets / 1_000_000) MB sent"
                progress.show(octets.isEmpty ? "all is sent, the server takes it in" : sent)
                return octets
            } catch {
                state.failure = error
                return nil
            }
        }
    }
}
