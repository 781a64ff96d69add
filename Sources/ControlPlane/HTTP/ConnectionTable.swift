import Engine

/// The open connections, and which of them gives way when there are too many. Knows no sockets.
///
/// At a limit, the connection that has waited longest without ever sending a complete request gives way; if each has
/// sent one, the one that has been idle longest. A connection whose request waits for its answer never does.
struct ConnectionTable {
    /// A connection's identity: its place, and a number that tells it from earlier connections at that place.
    struct ID: Hashable, Sendable {
        fileprivate let place: Int
        fileprivate let generation: UInt64
    }

    /// The fate of a new connection.
    enum Admission: Equatable {
        /// The connection is in the table; `evicted` was removed from it and is to be closed.
        case admitted(ID, evicted: ID?)
        /// The connection is to be closed: all that could give way for it have a request under way.
        case refused
    }

    /// The order in which connections began to wait.
    private struct Order {
        var first: Int?
        var last: Int?
    }

    private struct Entry {
        var client: IPAddress?
        var generation: UInt64
        var isOpen = true
        var isWorking = false
        var hasHadRequest = false
        var previous: Int?
        var next: Int?
    }

    private let maximum: Int
    private let maximumPerClient: Int
    private var entries: [Entry] = []
    /// The places of connections that are gone.
    private var free: [Int] = []
    private var counts: [IPAddress: Int] = [:]
    private var lastGeneration: UInt64 = 0
    /// One for connections that never had a complete request, one for those whose last request was answered.
    private var orders = [Order(), Order()]
    private static let fresh = 0
    private static let idle = 1

    /// An empty table.
    ///
    /// - Parameters:
    ///   - maximum: connections at most.
    ///   - maximumPerClient: connections of one client address at most.
    init(maximum: Int, maximumPerClient: Int) {
        self.maximum = maximum
        self.maximumPerClient = maximumPerClient
    }

    /// The number of connections.
    var count: Int { entries.count - free.count }

    /// The number of client addresses that they come from.
    var clientCount: Int { counts.count }

    /// Adds a new connection, if necessary in place of another one.
    mutating func admit(from client: IPAddress?) -> Admission {
        var evicted: ID?
        if let client, counts[client, default: 0] >= maximumPerClient {
            evicted = firstWaiting { $0.client == client }
            if evicted == nil { return .refused }
        } else if count >= maximum {
            evicted = firstWaiting { _ in true }
            if evicted == nil { return .refused }
        }
        if let evicted { remove(evicted) }
        lastGeneration += 1
        let entry = Entry(client: client, generation: lastGeneration)
        let place = free.popLast() ?? entries.count
        if place < entries.count { entries[place] = entry } else { entries.append(entry) }
        append(place, to: Self.fresh)
        if let client { counts[client, default: 0] += 1 }
        return .admitted(ID(place: place, generation: lastGeneration), evicted: evicted)
    }

    /// Notes that a complete request has arrived on a connection.
    mutating func begin(_ id: ID) {
        guard isOpen(id), !entries[id.place].isWorking else { return }
        unlink(id.place)
        entries[id.place].isWorking = true
        entries[id.place].hasHadRequest = true
    }

    /// Notes that all complete requests of a connection have been answered.
    mutating func end(_ id: ID) {
        guard isOpen(id), entries[id.place].isWorking else { return }
        entries[id.place].isWorking = false
        append(id.place, to: Self.idle)
    }

    /// Forgets a connection.
    mutating func remove(_ id: ID) {
        guard isOpen(id) else { return }
        if !entries[id.place].isWorking { unlink(id.place) }
        entries[id.place].isOpen = false
        free.append(id.place)
        guard let client = entries[id.place].client, let count = counts[client] else { return }
        counts[client] = count > 1 ? count - 1 : nil
    }

    private func isOpen(_ id: ID) -> Bool {
        entries.indices.contains(id.place) && entries[id.place].generation == id.generation && entries[id.place].isOpen
    }

    private func firstWaiting(where isWanted: (Entry) -> Bool) -> ID? {
        for order in orders {
            var next = order.first
            while let place = next {
                let entry = entries[place]
                if isWanted(entry) { return ID(place: place, generation: entry.generation) }
                next = entry.next
            }
        }
        return nil
    }

    private mutating func append(_ place: Int, to order: Int) {
        let last = orders[order].last
        entries[place].previous = last
        entries[place].next = nil
        if let last { entries[last].next = place } else { orders[order].first = place }
        orders[order].last = place
    }

    private mutating func unlink(_ place: Int) {
        let entry = entries[place]
        let order = entry.hasHadRequest ? Self.idle : Self.fresh
        if let previous = entry.previous {
            entries[previous].next = entry.next
        } else {
            orders[order].first = entry.next
        }
        if let next = entry.next {
            entries[next].previous = entry.previous
        } else {
            orders[order].last = entry.previous
        }
    }
}
