import NIOCore
import Synchronization

/// The newest changes, in order, for any number of readers. DNS answers with all of them.
///
/// It keeps blocks of changes. A reader has a position of its own and nothing else: what it wants to send is a part of
/// the blocks' texts, which all readers share.
final class ChangeFeed: Sendable {
    /// What it keeps.
    struct Limits: Sendable {
        /// Changes that are kept, unless they take too many octets.
        var changes = 65_536
        /// About how many octets of text they may have.
        var octets = 64 << 20
        /// Readers at once.
        var readers = 3072
    }

    /// The texts of changes for a reader.
    struct Reading {
        var texts: [ByteBuffer] = []
        /// The index of the last change that was looked at.
        var position: UInt64
        /// Whether there is nothing behind it.
        var isComplete: Bool
    }

    private struct State {
        var ring = FeedRing()
        var hasEnded = false
        /// The index of the last change.
        var lastIndex: UInt64 = 0
        /// The index of the last change that readers were told of.
        var toldIndex: UInt64 = 0
        var readers: [ObjectIdentifier: FeedReader] = [:]
        /// Those that want one service only.
        var readersByName: [String: [ObjectIdentifier: FeedReader]] = [:]
        var readerCount = 0

        /// Blocks with the changes after a position; `nil` if some of these are gone.
        func blocks(after position: UInt64, limit: Int = .max) -> [FeedBlock]? {
            position >= lastIndex ? [] : ring.blocks(after: position, limit: limit)
        }
    }

    /// How many changes are looked at for a reader before others get a turn.
    private static let readLength = 4096
    /// About how many octets a reader gets at once.
    private static let readOctets = 128 * 1024

    /// Tells this process's positions from those of others.
    let identity = UInt64.random(in: 0...UInt64.max)
    private let limits: Limits
    private let state = Mutex(State())
    private let (pokes, poke) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// The index of the last change.
    var lastIndex: UInt64 { state.withLock { $0.lastIndex } }

    /// The position behind a change.
    func position(_ index: UInt64) -> FeedPosition { FeedPosition(identity: identity, index: index) }

    // MARK: Changes

    /// Begins behind the changes that were there before.
    func begin(at index: UInt64) {
        state.withLock { state in
            state.lastIndex = index
            state.toldIndex = index
        }
    }

    /// Adds changes that DNS answers with; ``wakeReaders()`` is to follow.
    ///
    /// - Parameter changes: with indexes in a row, from the one behind the last.
    func append(_ changes: [FeedChange], time: WallTime) {
        guard let last = changes.last?.index else { return }
        let blocks = blocks(changes, time)
        let dropped = state.withLock { state in
            state.lastIndex = last
            return state.ring.append(blocks, limits)
        }
        // What is large is freed out of the lock.
        _ = dropped
    }

    /// Has ``tellReaders()`` tell them of what was added.
    func wakeReaders() { poke.yield() }

    private func blocks(_ changes: [FeedChange], _ time: WallTime) -> [FeedBlock] {
        var blocks: [FeedBlock] = []
        var own: [FeedChange] = []
        var octets = 0
        func close() {
            if !own.isEmpty { blocks.append(FeedBlock(own, octets: octets, identity: identity, time: time)) }
            (own, octets) = ([], 0)
        }
        for change in changes {
            let length = change.estimatedOctets
            if own.count == FeedBlock.maximumChanges || octets + length > FeedBlock.maximumOctets { close() }
            own.append(change)
            octets += length
        }
        close()
        return blocks
    }

    // MARK: Readers

    /// Adds a reader.
    ///
    /// - Returns: `nil` if there are too many.
    func subscribe(_ interest: FeedInterest) -> FeedSubscription? {
        let reader = FeedReader(interest)
        let isAdded = state.withLock { state in
            if state.readerCount >= limits.readers { return false }
            state.readerCount += 1
            if let name = interest.filter.name {
                state.readersByName[name, default: [:]][ObjectIdentifier(reader)] = reader
            } else {
                state.readers[ObjectIdentifier(reader)] = reader
            }
            if state.hasEnded { reader.end() }
            return true
        }
        return isAdded ? FeedSubscription(reader, of: self) : nil
    }

    /// Removes a reader; a subscription does so by itself.
    func remove(_ reader: FeedReader) {
        state.withLock { state in
            let id = ObjectIdentifier(reader)
            if let name = reader.interest.filter.name {
                guard state.readersByName[name]?.removeValue(forKey: id) != nil else { return }
                if state.readersByName[name]?.isEmpty == true { state.readersByName[name] = nil }
            } else {
                guard state.readers.removeValue(forKey: id) != nil else { return }
            }
            state.readerCount -= 1
        }
    }

    /// The number of readers.
    var readerCount: Int { state.withLock { $0.readerCount } }

    /// Tells readers of changes until ``end()``, outside of the committer's thread: there may be thousands.
    func tellReaders() async {
        for await _ in pokes { tell() }
    }

    /// Ends all readers, and those that come later at once.
    func end() {
        let readers = state.withLock { state in
            state.hasEnded = true
            return Array(state.readers.values) + state.readersByName.values.flatMap(\.values)
        }
        for reader in readers { reader.end() }
        poke.finish()
    }

    private func tell() {
        let (from, to, blocks, all, byName) = state.withLock { state in
            (
                state.toldIndex + 1, state.lastIndex, state.blocks(after: state.toldIndex), state.readers,
                state.readersByName
            )
        }
        for reader in all.values { reader.note(from: from) }
        if let blocks {
            if !byName.isEmpty {
                for block in blocks {
                    var last: String?
                    for entry in block.entries {
                        for name in [entry.old?.name, entry.new?.name, entry.policyName] {
                            guard let name, name != last else { continue }
                            last = name
                            for reader in byName[name, default: [:]].values { reader.note(from: block.firstIndex) }
                        }
                    }
                }
            }
        } else {
            // So much has come at once that some of it is gone already.
            for reader in byName.values.flatMap(\.values) { reader.note(from: from) }
        }
        state.withLock { $0.toldIndex = to }
    }

    /// The last index up to which a reader without news has missed nothing. To be read before its news are taken.
    var toldIndex: UInt64 { state.withLock { $0.toldIndex } }

    // MARK: Reading

    /// Whether a change after a position concerns somebody; also if it is no longer known.
    func hasChange(for interest: FeedInterest, after position: UInt64) -> Bool {
        guard let blocks = state.withLock({ $0.blocks(after: position) }) else { return true }
        return blocks.contains { $0.concerns(interest, after: position) }
    }

    /// The texts of some changes after a position.
    ///
    /// - Parameter hasIDs: whether a reader may resume behind each.
    /// - Returns: `nil` if some of the changes after it are gone.
    func read(after position: UInt64, for interest: FeedInterest, hasIDs: Bool = true) -> Reading? {
        let (found, last) = state.withLock { ($0.blocks(after: position, limit: Self.readLength), $0.lastIndex) }
        guard let blocks = found else { return nil }
        var reading = Reading(position: position, isComplete: true)
        var octets = 0
        for block in blocks where octets < Self.readOctets {
            let count = reading.texts.count
            block.write(after: position, for: interest, hasIDs: hasIDs, to: &reading.texts)
            reading.position = block.lastIndex
            octets += reading.texts[count...].reduce(0) { $0 + $1.readableBytes }
        }
        reading.isComplete = reading.position >= last
        return reading
    }

    /// Whether a reader can resume at a position.
    func isKnown(_ position: FeedPosition) -> Bool {
        guard position.identity == identity else { return false }
        return state.withLock { position.index <= $0.lastIndex && $0.blocks(after: position.index, limit: 1) != nil }
    }
}
