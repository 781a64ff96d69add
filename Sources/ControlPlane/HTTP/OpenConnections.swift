import Engine
import Logging
import NIOCore
import Synchronization

/// The open connections: keeps them within the limits, and closes them when the server stops.
final class OpenConnections: Sendable {
    private struct State {
        var table: ConnectionTable
        var channels: [ConnectionTable.ID: OpenChannel] = [:]
        var isQuiescing = false
        var isClosed = false
        /// The number of connections that had to give way, or were closed at once.
        var evictedCount = 0
        var nextNotice: ContinuousClock.Instant?
    }

    /// A connection's channel.
    private struct OpenChannel {
        let channel: any Channel
        let isSecure: Bool

        /// Closes it at once: whoever gives way must not hold on to it by not answering the end of a TLS session.
        func close() {
            if isSecure {
                channel.triggerUserOutboundEvent(CloseAtOnce(), promise: nil)
            } else {
                channel.close(promise: nil)
            }
        }
    }

    /// The interval at which it is logged that connections give way.
    private static let noticeInterval = Duration.seconds(60)

    private let state: Mutex<State>
    private let maximum: Int
    private let maximumPerClient: Int
    private let counters: HTTPCounters
    private let logger: Logger

    /// No connections yet.
    ///
    /// - Parameters:
    ///   - maximum: connections at most.
    ///   - maximumPerClient: connections of one client address at most.
    ///   - counters: count them.
    init(maximum: Int, maximumPerClient: Int, counters: HTTPCounters = HTTPCounters(endpoints: 0), logger: Logger) {
        self.counters = counters
        self.maximum = maximum
        self.maximumPerClient = maximumPerClient
        self.logger = logger
        state = Mutex(State(table: ConnectionTable(maximum: maximum, maximumPerClient: maximumPerClient)))
    }

    /// Adds a connection, and closes the one that gives way to it.
    ///
    /// - Parameter isSecure: whether it speaks TLS.
    /// - Returns: the connection's identity, or `nil` if it was closed.
    func insert(_ channel: any Channel, from client: IPAddress?, isSecure: Bool = false) -> ConnectionTable.ID? {
        let channel = OpenChannel(channel: channel, isSecure: isSecure)
        let (id, leaving, evicted) = state.withLock { state -> (ConnectionTable.ID?, OpenChannel?, Int?) in
            if state.isClosed { return (nil, channel, nil) }
            defer { counters.noteOpen(state.table.count) }
            switch state.table.admit(from: client) {
            case .admitted(let id, nil):
                state.channels[id] = channel
                counters.noteConnection(.accepted)
                return (id, nil, nil)
            case .admitted(let id, let evicted?):
                state.channels[id] = channel
                counters.noteConnection(.acceptedInstead)
                return (id, state.channels.removeValue(forKey: evicted), Self.noteEviction(&state))
            case .refused:
                counters.noteConnection(.refused)
                return (nil, channel, Self.noteEviction(&state))
            }
        }
        leaving?.close()
        if let evicted {
            logger.warning(
                "connections give way: server.max_connections or server.max_per_client is reached",
                metadata: [
                    "max_connections": "\(maximum)", "max_per_client": "\(maximumPerClient)", "closed": "\(evicted)",
                    "client": "\(client.map(\.description) ?? "unknown")",
                ]
            )
        }
        return id
    }

    /// - Returns: how many connections had to give way, if that is to be logged now.
    private static func noteEviction(_ state: inout State) -> Int? {
        state.evictedCount += 1
        let now = ContinuousClock.now
        if let next = state.nextNotice, now < next { return nil }
        state.nextNotice = now.advanced(by: noticeInterval)
        return state.evictedCount
    }

    /// Notes that a complete request has arrived on a connection.
    func begin(_ id: ConnectionTable.ID) {
        state.withLock { $0.table.begin(id) }
    }

    /// Notes that all complete requests of a connection have been answered.
    func end(_ id: ConnectionTable.ID) {
        state.withLock { $0.table.end(id) }
    }

    /// Forgets a connection.
    func remove(_ id: ConnectionTable.ID) {
        state.withLock { state in
            state.table.remove(id)
            state.channels[id] = nil
            counters.noteOpen(state.table.count)
        }
    }

    /// Makes every connection end after its present answer; those that come later end at once.
    func quiesce() {
        let channels = state.withLock { state in
            state.isQuiescing = true
            return Array(state.channels.values)
        }
        for open in channels { open.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    /// Whether connections are to end.
    var isQuiescing: Bool { state.withLock { $0.isQuiescing } }

    /// Closes all connections, and those that come later at once.
    func closeAll() {
        let channels = state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close() }
    }
}
