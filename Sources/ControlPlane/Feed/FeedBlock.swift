import NIOCore
import Synchronization

/// Some changes in a row, and their text as server-sent events, which is made once, when a reader wants it, and shared
/// by all.
final class FeedBlock: Sendable {
    /// The most changes in a block.
    static let maximumChanges = 256
    /// About how many octets of text a block has; a single change may have more. A reader that does not keep up holds
    /// on to the few blocks that it was sent last.
    static let maximumOctets = 64 * 1024

    private enum Content: Sendable {
        case changes([FeedChange])
        case text(ByteBuffer, [EventPlace])
    }

    /// The index of the first change.
    let firstIndex: UInt64
    let entries: [FeedEntry]
    /// About how many octets it takes.
    let octets: Int
    private let identity: UInt64
    private let time: WallTime
    private let content: Mutex<Content>

    /// - Parameters:
    ///   - changes: at least one, with indexes in a row.
    ///   - time: when they were published.
    init(_ changes: [FeedChange], octets: Int, identity: UInt64, time: WallTime) {
        firstIndex = changes.first?.index ?? 0
        entries = changes.map(\.entry)
        self.octets = octets
        self.identity = identity
        self.time = time
        content = Mutex(.changes(changes))
    }

    /// The index of the last change.
    var lastIndex: UInt64 { firstIndex + UInt64(entries.count) - 1 }

    /// Whether any change after a position means something.
    func concerns(_ interest: FeedInterest, after position: UInt64) -> Bool {
        entries[place(after: position)...].contains { interest.meaning(of: $0) != .none }
    }

    /// The text of the changes after a position that mean something.
    ///
    /// - Parameters:
    ///   - hasIDs: whether a reader may resume behind each.
    ///   - output: is appended to.
    func write(
        after position: UInt64, for interest: FeedInterest, hasIDs: Bool, to output: inout [ByteBuffer]
    ) {
        let start = place(after: position)
        let isWhole = hasIDs && interest.filter == InstanceFilter()
        guard isWhole || concerns(interest, after: position), start < entries.count else { return }
        let (text, places) = text()
        if isWhole {
            output.append(text.slice(places[start].start, places[entries.count - 1].end))
            return
        }
        var own = ByteBufferAllocator().buffer(capacity: 1024)
        for number in start..<entries.count {
            let meaning = interest.meaning(of: entries[number])
            if meaning == .none { continue }
            let place = places[number]
            if hasIDs { own.write(text, place.start, place.event) }
            switch meaning {
            case .none: break
            case .change:
                own.write(text, place.event, place.end)
            case .joining:
                own.writeEvent(.registered)
                own.write(text, place.data, place.end)
            case .leaving:
                own.writeEvent(.deregistered)
                own.writeString("data: {\"reason\":\"filter\"")
                own.write(text, place.rest, place.end)
            }
        }
        output.append(own)
    }

    /// The number of the first change after a position.
    private func place(after position: UInt64) -> Int {
        position < firstIndex ? 0 : min(entries.count, Int(clamping: position - firstIndex) + 1)
    }

    private func text() -> (ByteBuffer, [EventPlace]) {
        content.withLock { content in
            switch content {
            case .text(let text, let places): return (text, places)
            case .changes(let changes):
                var text = ByteBufferAllocator().buffer(capacity: octets)
                let prefix = FeedPosition.prefix(identity: identity)
                let places = changes.map { text.write($0, positionPrefix: prefix, time: time) }
                content = .text(text, places)
                return (text, places)
            }
        }
    }
}

extension ByteBuffer {
    fileprivate func slice(_ start: UInt32, _ end: UInt32) -> ByteBuffer {
        getSlice(at: Int(start), length: Int(end - start)) ?? ByteBuffer()
    }

    fileprivate mutating func write(_ text: ByteBuffer, _ start: UInt32, _ end: UInt32) {
        var part = text.slice(start, end)
        writeBuffer(&part)
    }
}
