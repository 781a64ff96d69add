@testable import ControlPlane

/// A watch on its connection. What is sent arrives in order, late, or never.
final class WatchConnection: @unchecked Sendable {
    let member: Int
    unowned let etcd: SimulatedEtcd
    private unowned let gateway: SimulatedGateway
    /// The first revision of which it was not told.
    private var next: Int64
    private let onOctets: @Sendable ([UInt8]) -> Bool
    private var continuation: CheckedContinuation<EtcdError?, Never>?
    /// Whether etcd has received the request.
    private var isCreated = false
    /// Whether etcd no longer sends anything.
    private var isClosed = false
    /// Whether everything that is sent gets lost without anybody noticing.
    var leadsNowhere = false
    /// The time when the last thing sent arrives.
    private var lastArrival: Microseconds = 0

    init(
        _ gateway: SimulatedGateway, member: Int, from revision: Int64,
        onOctets: @escaping @Sendable ([UInt8]) -> Bool, _ continuation: CheckedContinuation<EtcdError?, Never>
    ) {
        self.gateway = gateway
        self.member = member
        etcd = gateway.etcd
        next = revision
        self.onOctets = onOctets
        self.continuation = continuation
    }

    /// etcd has received the request.
    func create() {
        if isClosed { return }
        isCreated = true
        gateway.endGap(asOf: next - 1)
        send(#"{"result":{\#(etcd.header),"watch_id":"0","created":true}}"#)
        tell()
    }

    /// Sends everything of which the watch was not told.
    func tell() {
        guard isCreated, !isClosed, !etcd.isStalled(member) else { return }
        if next <= etcd.compacted, next <= etcd.revision {
            let compacted = #""compact_revision":"\#(etcd.compacted)""#
            send(#"{"result":{\#(etcd.header),"watch_id":"0","canceled":true,\#(compacted)}}"#)
            isClosed = true
            gateway.beginGap()
            return
        }
        while next <= etcd.revision {
            let revision = next
            next += 1
            let events = etcd.events(at: revision).filter { $0.key.hasPrefix(SimulatedEtcd.prefix) }
            if events.isEmpty { continue }
            if gateway.skips(events) {
                etcd.world.note("fault: the watch skips \(revision)")
                continue
            }
            let texts = events.map { event in
                let type = event.value == nil ? #""type":"DELETE","# : ""
                let value = event.value ?? SimulatedEtcd.Value(octets: [], revision: revision, lease: 0)
                return "{\(type)\"kv\":\(SimulatedEtcd.keyValue(event.key, value))}"
            }
            send(#"{"result":{\#(etcd.header),"events":[\#(texts.joined(separator: ","))]}}"#)
        }
    }

    /// etcd ends the watch.
    func fail(_ reason: String) {
        guard isCreated, !isClosed else { return }
        send(#"{"error":{"message":"\#(reason)"}}"#)
        isClosed = true
    }

    private func send(_ line: String) {
        let octets = Array((line + "\n").utf8)
        // What is sent while nothing gets through arrives when the network works again.
        let arrival = max(lastArrival, gateway.arrival())
        lastArrival = arrival
        let pieces: [ArraySlice<UInt8>]
        if etcd.world.random.once(in: 16) {
            let cut = etcd.world.random.below(octets.count)
            pieces = [octets[..<cut], octets[cut...]]
        } else {
            pieces = [octets[...]]
        }
        for piece in pieces {
            etcd.world.after(arrival - etcd.world.now, gateway.process) { [self] in
                if continuation == nil || leadsNowhere { return }
                if !onOctets(Array(piece)) { end(nil) }
            }
        }
    }

    /// The client's side ends.
    func end(_ error: EtcdError?) {
        guard let continuation else { return }
        self.continuation = nil
        isClosed = true
        etcd.watches.removeAll { $0 === self }
        continuation.resume(returning: error)
    }
}
