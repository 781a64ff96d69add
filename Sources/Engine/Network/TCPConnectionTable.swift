import CEvent
import Synchronization

/// The part of a TCP connection's state that all workers may read. Only its own worker writes it, after each turn.
final class TCPActivity: Sendable {
    /// The state of a connection.
    enum State: UInt8 {
        /// It has just been opened: its first query should be on its way.
        case new
        /// A query waits to be read or answered.
        case busy
        /// Replies wait for the client to read them.
        case sending
        /// Nothing is going on: closing it loses no answer.
        case idle
    }

    /// How long a new connection may take to send its first query before it can be closed for others.
    static let firstQueryTime = Nanoseconds.milliseconds(250)
    /// How long a client may take to read a reply before it can be closed for others.
    static let readingTime = Nanoseconds.seconds(2)

    let client: IPAddress
    private let socket: Int32
    private let state = Atomic<UInt8>(State.new.rawValue)
    private let nanoseconds: Atomic<Int64>

    fileprivate init(_ client: IPAddress, socket: Int32, now: MonotonicTime) {
        self.client = client
        self.socket = socket
        nanoseconds = Atomic(now.nanoseconds)
    }

    /// Notes the state from `now` on.
    func note(_ state: State, now: MonotonicTime) {
        self.state.store(state.rawValue, ordering: .relaxed)
        nanoseconds.store(now.nanoseconds, ordering: .relaxed)
    }

    /// The time since when the state applies.
    fileprivate var since: MonotonicTime { MonotonicTime(nanoseconds: nanoseconds.load(ordering: .relaxed)) }

    /// Whether it may be closed in favour of another one; never if it has an unread or unanswered query.
    fileprivate func mayGiveWay(now: MonotonicTime) -> Bool {
        switch State(rawValue: state.load(ordering: .relaxed)) {
        case .busy, nil: false
        case .sending: now - since >= Self.readingTime
        case .new: now - since >= Self.firstQueryTime && !hasUnreadOctets(socket)
        case .idle: !hasUnreadOctets(socket)
        }
    }

    /// Shuts the connection down: its worker sees its end, and closes it.
    fileprivate func giveWay() {
        _ = shutdown(socket, Int32(SHUT_RDWR))
    }
}

/// The TCP connections of all workers: decides who may open another one, and which one gives way for it. It is used
/// when a connection opens or closes, never for a query.
final class TCPConnectionTable: Sendable {
    /// The decision about a new connection.
    enum Admission {
        case admitted(TCPActivity)
        /// All connections that its client may have are busy: it is counted, and waits unread until one of them is not.
        case waits
        /// All connections that there may be are busy: it is not counted.
        case allAreBusy
        /// Too many connections of its client are waiting.
        case refused
    }

    /// How many connections of one client may wait, over all workers.
    static let maximumWaiting = 256

    private let clients: Mutex<Clients>

    init(limits: TCPLimits) {
        clients = Mutex(Clients(limits: limits))
    }

    /// Counts one more connection of `client`, if limits allow. At a limit the one idle longest gives way; at the
    /// client's own limit it is one of the client's.
    func admit(_ client: IPAddress, socket: Int32, now: MonotonicTime) -> Admission {
        clients.withLock { $0.admit(client, socket, now: now) }
    }

    /// Counts one more regardless of limits, for connections that arrive while the server stops.
    func admitAnyway(_ client: IPAddress, socket: Int32, now: MonotonicTime) -> TCPActivity {
        clients.withLock { $0.add(client, socket, now: now) }
    }

    /// Tries again to admit a waiting connection.
    ///
    /// - Returns: `nil` if it must wait longer.
    func admitWaiting(_ client: IPAddress, socket: Int32, now: MonotonicTime) -> TCPActivity? {
        clients.withLock { $0.admitWaiting(client, socket, now: now) }
    }

    /// Notes that a waiting connection is closed.
    func removeWaiting(_ client: IPAddress) {
        clients.withLock { $0.removeWaiting(client) }
    }

    /// Makes the connection idle longest give way, if there is one.
    func evictIdle(now: MonotonicTime) {
        clients.withLock { _ = $0.evictIdle(now: now) }
    }

    /// Counts one connection less. Call it before the socket is closed: until then others may shut it down.
    ///
    /// - Returns: `false` if it has given way to another one.
    func remove(_ activity: TCPActivity) -> Bool {
        clients.withLock { $0.remove(activity) }
    }

    /// The table itself.
    struct Clients {
        private struct Connections {
            var open: [TCPActivity] = []
            var waitingCount = 0
        }

        /// How many candidates to give way are found at a time, because finding them goes through all connections.
        private static let idleCount = 64

        private let limits: TCPLimits
        private var clients: [IPAddress: Connections] = [:]
        /// The number of connections, including those that wait.
        private(set) var count = 0
        /// The next candidates to give way; the one idle longest is the last.
        private var idle: [(activity: TCPActivity, since: MonotonicTime)] = []

        init(limits: TCPLimits) {
            self.limits = limits
        }

        /// The number of clients.
        var clientCount: Int { clients.count }

        mutating func admit(_ client: IPAddress, _ socket: Int32, now: MonotonicTime) -> Admission {
            let own = clients[client] ?? Connections()
            guard own.open.count >= limits.maximumPerClient || own.waitingCount > 0 else {
                guard makeRoom(now: now) else { return .allAreBusy }
                return .admitted(add(client, socket, now: now))
            }
            // Connections that wait already go first.
            if own.waitingCount == 0, evictIdle(of: own, now: now) { return .admitted(add(client, socket, now: now)) }
            guard own.waitingCount < TCPConnectionTable.maximumWaiting else { return .refused }
            guard makeRoom(now: now) else { return .allAreBusy }
            clients[client, default: Connections()].waitingCount += 1
            count += 1
            return .waits
        }

        mutating func admitWaiting(_ client: IPAddress, _ socket: Int32, now: MonotonicTime) -> TCPActivity? {
            guard let own = clients[client] else { return nil }
            guard own.open.count < limits.maximumPerClient || evictIdle(of: own, now: now) else { return nil }
            let activity = add(client, socket, now: now)
            removeWaiting(client)
            return activity
        }

        mutating func removeWaiting(_ client: IPAddress) {
            count -= 1
            clients[client]?.waitingCount -= 1
            forgetIfGone(client)
        }

        mutating func add(_ client: IPAddress, _ socket: Int32, now: MonotonicTime) -> TCPActivity {
            let activity = TCPActivity(client, socket: socket, now: now)
            clients[client, default: Connections()].open.append(activity)
            count += 1
            return activity
        }

        @discardableResult
        mutating func remove(_ activity: TCPActivity) -> Bool {
            guard let place = clients[activity.client]?.open.firstIndex(where: { $0 === activity }) else {
                return false
            }
            clients[activity.client]?.open.remove(at: place)
            count -= 1
            forgetIfGone(activity.client)
            return true
        }

        private mutating func forgetIfGone(_ client: IPAddress) {
            if let own = clients[client], own.open.isEmpty, own.waitingCount == 0 { clients[client] = nil }
        }

        private mutating func makeRoom(now: MonotonicTime) -> Bool {
            count < limits.maximumConnections || evictIdle(now: now)
        }

        private mutating func evictIdle(of own: Connections, now: MonotonicTime) -> Bool {
            var longest: TCPActivity?
            for activity in own.open where longest.map({ activity.since < $0.since }) ?? true {
                if activity.mayGiveWay(now: now) { longest = activity }
            }
            guard let longest else { return false }
            evict(longest)
            return true
        }

        mutating func evictIdle(now: MonotonicTime) -> Bool {
            for isSecond in [false, true] {
                if isSecond { findIdle(now: now) }
                while let (activity, since) = idle.popLast() {
                    // Skip it if it has been used or closed since it was found.
                    guard activity.since == since, activity.mayGiveWay(now: now),
                        clients[activity.client]?.open.contains(where: { $0 === activity }) == true
                    else { continue }
                    evict(activity)
                    return true
                }
            }
            return false
        }

        /// Finds the connections idle longest. All others have been idle for less time, and still will be when these
        /// are gone.
        private mutating func findIdle(now: MonotonicTime) {
            idle = []
            for own in clients.values {
                for activity in own.open {
                    let since = activity.since
                    if idle.count == Self.idleCount, let least = idle.first, since >= least.since { continue }
                    guard activity.mayGiveWay(now: now) else { continue }
                    let place = idle.firstIndex { $0.since < since } ?? idle.count
                    idle.insert((activity, since), at: place)
                    if idle.count > Self.idleCount { idle.removeFirst() }
                }
            }
        }

        private mutating func evict(_ activity: TCPActivity) {
            activity.giveWay()
            remove(activity)
        }
    }
}
