import NIOCore

/// The lines of a backup, made as they are sent: at the pace of the client, with one part in memory.
final class BackupStream: Sendable {
    /// How many policies are sent at once.
    private static let policiesAtOnce = 256

    private let past: PastRegistry
    private let version: String
    private let createdAt: WallTime
    /// Make the parts: other connections must not wait for it.
    private let threads: SideThreads

    init(_ past: PastRegistry, version: String, createdAt: WallTime, threads: SideThreads) {
        self.past = past
        self.version = version
        self.createdAt = createdAt
        self.threads = threads
    }

    /// A part, and what goes on from there.
    private struct Part: Sendable {
        var text = ByteBuffer()
        var writer: BackupWriter
        var isLast = false
    }

    /// Sends everything. If that can't be done, the last line says why.
    func run(_ writer: StreamedBody.Writer) async throws {
        let policies = past.policies
        let counts = BackupCounts(policies: policies.count, instances: past.instanceCount)
        var part = Part(writer: BackupWriter())
        let header = part.writer.header(
            BackupHeader(productVersion: version, createdAt: createdAt, index: past.index, counts: counts))
        try await writer.write([ByteBuffer(bytes: header)])
        var rest = policies[...]
        while !rest.isEmpty {
            let lines = part.writer.policies(rest.prefix(Self.policiesAtOnce))
            rest = rest.dropFirst(Self.policiesAtOnce)
            try await writer.write([ByteBuffer(bytes: lines)])
        }
        while !part.isLast {
            guard let next = await threads.run({ [part] in self.part(after: part) }) else { throw CancellationError() }
            part = next
            try await writer.write([part.text])
        }
    }

    private func part(after last: Part) -> Part {
        var part = Part(writer: last.writer)
        guard let (instances, isLast) = past.next() else {
            let lost = "too much has changed while it was read, because whoever read it was too slow"
            part.text.writeBytes(BackupFormat.abortLine(lost))
            part.isLast = true
            return part
        }
        part.text.writeBytes(part.writer.instances(instances))
        part.isLast = isLast
        if isLast { part.text.writeBytes(part.writer.end()) }
        return part
    }
}
