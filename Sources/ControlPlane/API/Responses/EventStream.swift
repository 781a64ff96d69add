import NIOCore

/// The events for one client: what it asks for, and then the changes as they come.
///
/// A client that applies each event to what it has, in order, has what the list of instances shows: at `live`, and
/// from then on.
struct EventStream: Sendable {
    /// Where it begins.
    enum Start: Equatable {
        /// Behind this change.
        case position(UInt64)
        /// With all instances.
        case snapshot
        /// With all instances, for this reason: what came since the client's last event is not known.
        case reset(String)
    }

    /// How often something is sent when nothing happens.
    private static let keepAliveInterval = Duration.seconds(15)
    /// How many instances of a snapshot are sent at once, and about how many octets.
    private static let partLength = 64
    private static let partOctets = 32 * 1024

    let registry: Registry
    let subscription: FeedSubscription
    let start: Start
    /// Makes snapshots: other connections must not wait for it.
    let snapshots: SideThreads
    /// Tells when the client has gone.
    let end: ConnectionEnd?
    /// Tells when the client's token is gone.
    let access: AccessControl
    let requester: Requester

    private var feed: ChangeFeed { registry.feed }
    private var reader: FeedReader { subscription.reader }

    /// The events of a client are not all there any more.
    private struct Lagged: Error {}

    /// Sends events until the client goes, its token is gone, it does not keep up, or the server stops.
    func run(_ writer: StreamedBody.Writer) async throws {
        end?.whenItComes { [reader] in reader.end() }
        defer { end?.forget() }
        let forget = access.whenRevoked(requester) { [reader] in reader.end() }
        defer { forget() }
        let period = Self.keepAliveInterval
        let stopTimer = registry.timers.every(period, after: period) { [reader] in reader.noteTime() }
        defer { stopTimer() }
        do {
            try await send(writer)
        } catch is Lagged {
            try await writer.write([
                .event { $0.writeNotice("lagged", #"{"reason":"too many changes have come since the last event"}"#) }
            ])
        }
    }

    private func send(_ writer: StreamedBody.Writer) async throws {
        var position: UInt64
        switch start {
        case .position(let index):
            position = index
            try await writer.write([.event { $0.writeKeepAlive(feed.position(position)) }])
        case .snapshot:
            guard let index = try await sendSnapshot(writer) else { return }
            position = index
        case .reset(let reason):
            try await writer.write([.event { $0.writeNotice("reset", #"{"reason":"\#(reason)"}"#) }])
            guard let index = try await sendSnapshot(writer) else { return }
            position = index
        }
        while true {
            try await sendChanges(after: &position, to: .max, writer)
            var news = await reader.next()
            if news.isTimeOver, news.from == nil {
                let told = feed.toldIndex
                news = reader.take()
                if news.from == nil {
                    // Nothing up to there was for it, so it need not come back to it.
                    position = max(position, told)
                    try await writer.write([.event { $0.writeKeepAlive(feed.position(position)) }])
                }
            }
            if news.hasEnded { return }
            if let from = news.from { position = max(position, from - 1) }
        }
    }

    /// Sends the changes after a position.
    ///
    /// - Parameters:
    ///   - target: the index up to which they are sent at least, if there are so many.
    ///   - hasIDs: whether the client may resume behind each.
    private func sendChanges(
        after position: inout UInt64, to target: UInt64, hasIDs: Bool = true, _ writer: StreamedBody.Writer
    ) async throws {
        while position < target, !reader.hasEnded {
            guard let reading = feed.read(after: position, for: reader.interest, hasIDs: hasIDs) else {
                throw Lagged()
            }
            try await writer.write(reading.texts)
            position = reading.position
            if reading.isComplete { return }
            // Other connections of this thread get their turn.
            await Task.yield()
        }
    }

    /// Sends all instances, and the changes of the meantime. These may be older than what was sent of an instance, but
    /// the newest comes last. No event has an `id` before `live`: a client that is cut off has to begin again.
    ///
    /// - Returns: the position to go on from; `nil`: the client has gone, or the server stops.
    private func sendSnapshot(_ writer: StreamedBody.Writer) async throws -> UInt64? {
        var position = registry.publication.index
        try await sendPolicies(writer)
        var place: UInt64?
        while true {
            guard let part = await snapshots.run({ [place] in await part(after: place) }) else { return nil }
            try await writer.write([part.text])
            try await sendChanges(after: &position, to: registry.publication.index, hasIDs: false, writer)
            if reader.hasEnded { return nil }
            if part.isLast { break }
            place = part.lastSequence
        }
        try await writer.write([
            .event { $0.writeNotice("live", #"{"index":\#(position)}"#, at: feed.position(position)) }
        ])
        return position
    }

    /// Sends the policies that there are, in the order of their names.
    private func sendPolicies(_ writer: StreamedBody.Writer) async throws {
        let wanted = reader.interest.filter.name
        let policies = registry.policies().filter { wanted == nil || $0.key == wanted }.sorted { $0.key < $1.key }
        var rest = policies[...]
        while !rest.isEmpty {
            var text = ByteBuffer()
            for (name, policy) in rest.prefix(Self.partLength) { text.writePolicy(policy, of: name) }
            rest = rest.dropFirst(Self.partLength)
            try await writer.write([text])
        }
    }

    /// A part of a snapshot.
    private struct Part: Sendable {
        var text = ByteBuffer()
        /// The place of the last instance that was looked at.
        var lastSequence: UInt64?
        var isLast: Bool
    }

    private func part(after place: UInt64?) async -> Part {
        let page = await registry.part(
            after: place, limit: Self.partLength, filter: reader.interest.filter
        ).value
        var part = Part(lastSequence: page.lastSequence, isLast: page.isLast)
        for (number, registered) in page.instances.enumerated() {
            part.text.writeInstance(registered)
            if part.text.readableBytes >= Self.partOctets, number < page.instances.count - 1 {
                part.lastSequence = registered.instance.sequence
                part.isLast = false
                break
            }
        }
        return part
    }
}

extension ByteBuffer {
    fileprivate static func event(_ write: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(&buffer)
        return buffer
    }
}
