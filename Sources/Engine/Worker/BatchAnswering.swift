/// Answers batches of queries: reads several before answering them, so that the zones' memory has been fetched by then.
///
/// An answer's octets are found in steps, each of which waits for the memory of the one before: a reference in the tree
/// of shards, the shard, the rotation's cell. Between two steps of a query others have their turn.
@safe
struct BatchAnswering: ~Copyable {
    /// How many queries are read before the first of them is answered.
    private static let readAhead = 16
    /// How many other queries' steps are taken between two of a query. Memory takes about as long as two of them.
    private static let distance = 2

    private let parsed: UnsafeMutablePointer<Query>
    /// Queries of the last batch that need more than a reply, or have none yet.
    private(set) var deferred: [DeferredQuery] = []

    init() {
        // Unsafe: freed in deinit.
        unsafe parsed = .allocate(capacity: Self.readAhead)
        deferred.reserveCapacity(UDPBatch.capacity)
    }

    deinit {
        unsafe parsed.deallocate()
    }

    /// Answers the first `count` datagrams of a batch.
    @inline(__always)
    mutating func answer(
        _ batch: UDPBatch, _ count: Int, with responder: inout Responder, _ cache: inout CacheReading
    ) {
        if !deferred.isEmpty { deferred.removeAll(keepingCapacity: true) }
        var start = 0
        while start < count {
            let end = min(start &+ Self.readAhead, count)
            // Unsafe: `parsed` has readAhead places; each is initialized here, and deinitialized below.
            for index in start..<end {
                unsafe (parsed + (index &- start)).initialize(
                    to: responder.read(batch.message(index), over: .udp, cache))
                let earlier = index &- start &- Self.distance
                if earlier >= 0 { unsafe responder.prefetch(for: parsed[earlier], &cache) }
            }
            let length = end &- start
            for place in max(length &- Self.distance, 0)..<length {
                unsafe responder.prefetch(for: parsed[place], &cache)
            }
            for place in 0..<min(Self.distance, length) {
                unsafe responder.locate(&parsed[place], in: batch.message(start &+ place))
            }
            for index in start..<end {
                let later = index &- start &+ Self.distance
                if later < length { unsafe responder.locate(&parsed[later], in: batch.message(start &+ later)) }
                unsafe answer(batch, at: index, as: parsed[index &- start], with: &responder, cache: &cache)
                unsafe (parsed + (index &- start)).deinitialize(count: 1)
            }
            start = end
        }
    }

    @inline(__always)
    private mutating func answer(
        _ batch: UDPBatch, at index: Int, as query: Query, with responder: inout Responder,
        cache: inout CacheReading
    ) {
        guard batch.isAnswerable(index) else { return responder.counters.count(.dropped) }
        var reply = batch.nextReply()
        let disposition = responder.respond(
            to: batch.message(index), as: query, from: batch.client(index), cache: &cache, into: &reply)
        switch disposition {
        case .reply: break
        case .silence: return
        case .forward: return note(index, responder.deferred)
        case .replyAndRefresh: note(index, responder.deferred)
        }
        batch.keep(reply.byteCount, to: index)
    }

    /// Has something noted of a query that was not answered yet, if it waits for its answer.
    ///
    /// - Parameter place: its place in the last batch.
    mutating func note(_ sample: QuerySample, ofQueryAt place: Int) {
        for index in deferred.indices where deferred[index].place == place && !deferred[index].isRefresh {
            deferred[index].sample = sample
        }
    }

    private mutating func note(_ index: Int, _ query: DeferredQuery?) {
        guard var query else { return }
        query.place = index
        deferred.append(query)
    }
}
