import CEvent
import Synchronization

/// What all workers may know of one TCP connection. Its own worker alone writes it, and only after a turn.
final class TCPActivity: Sendable {
    /// What is going on.
    enum State: UInt8 {
        /// It has just been opened: its first query is on its way.
        case new
        /// A query waits to be read or answered.
        case busy
        /// Replies wait for the client to read them.
        case sending
        /// Nothing: it may be closed without anybody losing an answer.
        case idle
    }

    /// How long a connection is left its first query.
    static let firstQueryTime = Nanoseconds.milliseconds(250)
    /// How long a client may take to read a reply before it has to give way to others.
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

    /// Notes what is going on from `now` on.
    func note(_ state: State, now: MonotonicTime) {
        self.state.store(state.rawValue, ordering: .relaxed)
        nanoseconds.store(now.nanoseconds, ordering: .relaxed)
    }

    /// Since when that is going on.
    fileprivate var since: MonotonicTime { MonotonicTime(nanoseconds: nanoseconds.load(ordering: .relaxed)) }

    /// Whether it may be closed in favour of another: never one that has an unread or unanswered query.
    fileprivate func mayGiveWay(now: MonotonicTime) -> Bool {
        switch State(rawValue: state.load(ordering: .relaxed)) {
        case .busy, nil: false
        case .sending: now - since >= Self.readingTime
        case .new: now - since >= Self.firstQueryTime && !hasUnreadOctets(socket)
        case .idle: !hasUnreadOctets(socket)
        }
    }

    /// Ends the connection: its worker finds it at its end, and closes it.
    fileprivate func giveWay() {
        _ = shutdown(socket, Int32(SHUT_RDWR))
    }
}

/// The TCP connections of all workers: who may open another one, and which gives way for it. Touched when one opens or
/// closes, never for a query.
final class TCPConnectionTable: Sendable {
    /// Whether one more may be opened.
    enum Admission {
        case admitted(TCPActivity)
        /// All that its client may have are busy: it is counted, and waits unread until one of them is not.
        case waits
        /// All that there may be are busy: it is not counted.
        case allAreBusy
        /// As many of its client wait as may.
        case refused
    }

    /// Connections of a client at most that wait, over all workers.
    static let maximumWaiting = 256

    private let clients: Mutex<Clients>

    init(limits: TCPLimits) {
        clients = Mutex(Clients(limits: limits))
    }

    /// Counts one more connection of `client`, if it may be. At a limit the connection idle longest gives way, one of
    /// the client's own if it is the client's limit.
    func admit(_ client: IPAddress, socket: Int32, now: MonotonicTime) -> Admission {
        clients.withLock { $0.admit(client, socket, now: now) }
    }

    /// Counts one more, whatever the limits say: for those that have come in when the server stops.
    func admitAnyway(_ client: IPAddress, socket: Int32, now: MonotonicTime) -> TCPActivity {
        clients.withLock { $0.add(client, socket, now: now) }
    }

    /// Tries again for one that waits.
    ///
    /// - Returns: `nil`: it goes on waiting.
    func admitWaiting(_ client: IPAddress, socket: Int32, now: MonotonicTime) -> TCPActivity? {
        clients.withLock { $0.admitWaiting(client, socket, now: now) }
    }

    /// One that waited is closed.
    func removeWaiting(_ client: IPAddress) {
        clients.withLock { $0.removeWaiting(client) }
    }

    /// Has the connection idle longest of all give way, if there is one.
    func evictIdle(now: MonotonicTime) {
        clients.withLock { _ = $0.evictIdle(now: now) }
    }

    /// Counts one less. To be called before its socket is closed: until then others may end it.
    ///
    /// - Returns: `false` when it has given way to another.
    func remove(_ activity: TCPActivity) -> Bool {
        clients.withLock { $0.remove(activity) }
    }

    /// The table itself.
    struct Clients {
        private struct Connections {
            var open: [TCPActivity] = []
            var waitingCount = 0
        }

        /// How many are looked for at a time to give way: looking means going through all.
        private static let idleCount = 64

        private let limits: TCPLimits
        private var clients: [IPAddress: Connections] = [:]
        /// All, those that wait included.
        private(set) var count = 0
        /// Who gives way next, the one idle longest last.
        private var idle: [(activity: TCPActivity, since: MonotonicTime)] = []

        init(limits: TCPLimits) {
            self.limits = limits
        }

        /// How many clients there are.
        var clientCount: Int { clients.count }

        mutating func admit(_ client: IPAddress, _ socket: Int32, now: MonotonicTime) -> Admission {
            let own = clients[client] ?? Connections()
            guard own.open.count >= limits.maximumPerClient || own.waitingCount > 0 else {
                guard makeRoom(now: now) else { return .allAreBusy }
                return .admitted(add(client, socket, now: now))
            }
            // Who waits already goes first.
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
                    // Not if it has been used, or closed, since it was found.
                    guard activity.since == since, activity.mayGiveWay(now: now),
                        clients[activity.client]?.open.contains(where: { $0 === activity }) == true
                    else { continue }
                    evict(activity)
                    return true
                }
            }
            return false
        }

        /// Finds those idle longest: all others have been idle for less time, and will still be when these are gone.
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
