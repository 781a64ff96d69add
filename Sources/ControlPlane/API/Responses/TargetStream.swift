import NIOCore

/// All instances as one JSON array for Prometheus' `http_sd`, which knows no pages: written part by part, at the pace
/// of its reader.
///
/// An instance that exists throughout is in it exactly once, whatever changes meanwhile.
struct TargetStream: Sendable {
    /// A part ends with the instance that makes it longer than this. One instance is shorter than twice that.
    static let partOctets = 64 * 1024
    /// What is counted of a reader's memory: a part, and what waits to be sent.
    static let octetsPerReader = 256 * 1024

    /// A part of the array, with its brackets if it is the first or the last one.
    struct Part: Sendable {
        var text = ByteBuffer()
        /// The place of the last instance that was looked at; `nil`: none was.
        var place: UInt64?
        /// Whether no instance is in this part and those before.
        var isEmpty = true
        var isLast = false
        /// The part has every change up to this index.
        var index: UInt64 = 0
    }

    let registry: Registry
    let filter: InstanceFilter

    /// Makes the part that comes after another one; `nil`: the first one.
    func part(after last: Part?) async -> Part {
        let read = await registry.part(after: last?.place, limit: InstanceView.sliceLength, filter: filter)
        let page = read.value
        var part = Part(
            place: page.lastSequence, isEmpty: last?.isEmpty ?? true, isLast: page.isLast, index: read.index)
        if last == nil { part.text.writeString("[") }
        for (number, registered) in page.instances.enumerated() {
            part.text.writeString(part.isEmpty ? "\n" : ",\n")
            part.isEmpty = false
            var writer = JSONWriter(capacity: 1024)
            writer.targetGroup(registered)
            part.text.writeBytes(writer.octets)
            if part.text.readableBytes > Self.partOctets, number < page.instances.count - 1 {
                part.place = registered.instance.sequence
                part.isLast = false
                break
            }
        }
        if part.isLast { part.text.writeString(part.isEmpty ? "]\n" : "\n]\n") }
        return part
    }

    /// Sends everything, which begins with `first`.
    ///
    /// - Parameter threads: make the parts after the first: other connections must not wait for them.
    func send(_ first: Part, _ threads: SideThreads, _ writer: StreamedBody.Writer) async throws {
        var part = first
        while true {
            try await writer.write([part.text])
            if part.isLast { return }
            let next = await threads.run { [part] in await self.part(after: part) }
            // Prometheus takes nothing of an array without an end, and goes on with the targets that it had.
            guard let next else { throw CancellationError() }
            part = next
        }
    }
}
