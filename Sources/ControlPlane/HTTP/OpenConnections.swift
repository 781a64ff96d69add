import Engine
import Logging
import NIOCore
import Synchronization

/// The connections that are open: within the limits, and closed when the server can't wait for them any longer.
final class OpenConnections: Sendable {
    private struct State {
        var table: ConnectionTable
        var channels: [ConnectionTable.ID: any Channel] = [:]
        var isQuiescing = false
        var isClosed = false
        /// Connections that had to give way, or were closed at once.
        var evictedCount = 0
        var nextNotice: ContinuousClock.Instant?
    }

    /// How often it is told that connections give way.
    private static let noticeInterval = Duration.seconds(60)

    private let state: Mutex<State>
    private let maximum: Int
    private let maximumPerClient: Int
    private let logger: Logger

    /// Connections within limits.
    ///
    /// - Parameters:
    ///   - maximum: connections at most.
    ///   - maximumPerClient: connections of one client address at most.
    init(maximum: Int, maximumPerClient: Int, logger: Logger) {
        self.maximum = maximum
        self.maximumPerClient = maximumPerClient
        self.logger = logger
        state = Mutex(State(table: ConnectionTable(maximum: maximum, maximumPerClient: maximumPerClient)))
    }

    /// Takes a connection in, and closes the one that gives way to it.
    ///
    /// - Returns: what it is known by; `nil`: it was closed.
    func insert(_ channel: any Channel, from client: IPAddress?) -> ConnectionTable.ID? {
        let (id, leaving, evicted) = state.withLock { state -> (ConnectionTable.ID?, (any Channel)?, Int?) in
            if state.isClosed { return (nil, channel, nil) }
            switch state.table.admit(from: client) {
            case .admitted(let id, nil):
                state.channels[id] = channel
                return (id, nil, nil)
            case .admitted(let id, let evicted?):
                state.channels[id] = channel
                return (id, state.channels.removeValue(forKey: evicted), Self.noteEviction(&state))
            case .refused:
                return (nil, channel, Self.noteEviction(&state))
            }
        }
        leaving?.close(promise: nil)
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

    /// - Returns: how many connections had to give way, when it is time to tell.
    private static func noteEviction(_ state: inout State) -> Int? {
        state.evictedCount += 1
        let now = ContinuousClock.now
        if let next = state.nextNotice, now < next { return nil }
        state.nextNotice = now.advanced(by: noticeInterval)
        return state.evictedCount
    }

    /// Notes that a connection has had a complete request, which is to be answered.
    func begin(_ id: ConnectionTable.ID) {
        state.withLock { $0.table.begin(id) }
    }

    /// Notes that all complete requests of a connection were answered.
    func end(_ id: ConnectionTable.ID) {
        state.withLock { $0.table.end(id) }
    }

    /// Forgets a connection.
    func remove(_ id: ConnectionTable.ID) {
        state.withLock { state in
            state.table.remove(id)
            state.channels[id] = nil
        }
    }

    /// Has every connection end with its last answer, and those that come later at once.
    func quiesce() {
        let channels = state.withLock { state in
            state.isQuiescing = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    /// Whether connections are to end.
    var isQuiescing: Bool { state.withLock { $0.isQuiescing } }

    /// Closes all connections, and those that come later at once.
    func closeAll() {
        let channels = state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }
}
