import Engine

/// The connections that are open, and who of them gives way when there are too many. Knows no sockets.
///
/// At a limit the one gives way that has waited longest without a complete request; when each has had one, the one
/// that has been idle longest. One whose request waits for its answer never does.
struct ConnectionTable {
    /// What a connection is known by.
    typealias ID = UInt64

    /// What becomes of a new connection.
    enum Admission: Equatable {
        /// It is in the table now; `evicted` has left it and is to be closed.
        case admitted(ID, evicted: ID?)
        /// All that could give way have a request under way: it is to be closed.
        case refused
    }

    /// The order in which connections began to wait.
    private struct Order {
        var first: ID?
        var last: ID?
    }

    private struct Entry {
        var client: IPAddress?
        var isWorking = false
        var hasHadRequest = false
        var previous: ID?
        var next: ID?
    }

    private let maximum: Int
    private let maximumPerClient: Int
    private var entries: [ID: Entry] = [:]
    private var counts: [IPAddress: Int] = [:]
    private var lastID: ID = 0
    /// Those that never had a complete request.
    private var fresh = Order()
    /// Those whose last request was answered.
    private var idle = Order()

    /// An empty table.
    ///
    /// - Parameters:
    ///   - maximum: connections at most.
    ///   - maximumPerClient: connections of one client address at most.
    init(maximum: Int, maximumPerClient: Int) {
        self.maximum = maximum
        self.maximumPerClient = maximumPerClient
    }

    /// How many there are.
    var count: Int { entries.count }

    /// How many client addresses they have.
    var clientCount: Int { counts.count }

    /// Takes a new connection in, if need be in the place of another one.
    mutating func admit(from client: IPAddress?) -> Admission {
        var evicted: ID?
        if let client, counts[client, default: 0] >= maximumPerClient {
            evicted = firstWaiting { $0.client == client }
            if evicted == nil { return .refused }
        } else if entries.count >= maximum {
            evicted = firstWaiting { _ in true }
            if evicted == nil { return .refused }
        }
        if let evicted { remove(evicted) }
        lastID += 1
        entries[lastID] = Entry(client: client)
        append(lastID, to: \.fresh)
        if let client { counts[client, default: 0] += 1 }
        return .admitted(lastID, evicted: evicted)
    }

    /// Notes that a connection has had a complete request, which is to be answered.
    mutating func begin(_ id: ID) {
        guard let entry = entries[id], !entry.isWorking else { return }
        unlink(id)
        entries[id]?.isWorking = true
        entries[id]?.hasHadRequest = true
    }

    /// Notes that all complete requests of a connection were answered.
    mutating func end(_ id: ID) {
        guard let entry = entries[id], entry.isWorking else { return }
        entries[id]?.isWorking = false
        append(id, to: \.idle)
    }

    /// Forgets a connection.
    mutating func remove(_ id: ID) {
        guard let entry = entries[id] else { return }
        if !entry.isWorking { unlink(id) }
        entries[id] = nil
        guard let client = entry.client, let count = counts[client] else { return }
        counts[client] = count > 1 ? count - 1 : nil
    }

    private func firstWaiting(where isWanted: (Entry) -> Bool) -> ID? {
        for order in [fresh, idle] {
            var next = order.first
            while let id = next, let entry = entries[id] {
                if isWanted(entry) { return id }
                next = entry.next
            }
        }
        return nil
    }

    private mutating func append(_ id: ID, to order: WritableKeyPath<Self, Order>) {
        let last = self[keyPath: order].last
        entries[id]?.previous = last
        entries[id]?.next = nil
        if let last { entries[last]?.next = id } else { self[keyPath: order].first = id }
        self[keyPath: order].last = id
    }

    private mutating func unlink(_ id: ID) {
        guard let entry = entries[id] else { return }
        let order: WritableKeyPath<Self, Order> = entry.hasHadRequest ? \.idle : \.fresh
        if let previous = entry.previous {
            entries[previous]?.next = entry.next
        } else {
            self[keyPath: order].first = entry.next
        }
        if let next = entry.next {
            entries[next]?.previous = entry.previous
        } else {
            self[keyPath: order].last = entry.previous
        }
    }
}
