import Engine
import Logging

/// Divides the process's file descriptors, so that no part uses up those of another.
struct DescriptorBudget: Sendable, Equatable {
    /// A key, or another user of descriptors, that gets fewer than it asks for.
    struct Shortage: Sendable, Equatable {
        var key: String
        var wanted: Int
        var granted: Int
    }

    /// For files, the event loops and the libraries: the database, connections to etcd, the log.
    private static let common = 128
    /// For REST connections accepted beyond the limit, including those that are closing.
    private static let restReserve = 64
    /// For a worker itself and its TCP connections to upstreams.
    private static let worker = 24
    /// For each thread with an event loop: epoll, eventfd and timerfd.
    private static let eventLoop = 3
    /// A worker's sockets to upstreams, if there are enough.
    private static let upstreamSockets = 512
    /// The least that a part can work with.
    private static let minimum = 16

    /// The process's limit.
    let limit: Int
    /// Connections of the REST API.
    let restConnections: Int
    /// How many of these may wait for changes: some are left for those who make changes.
    var changeReaders: Int { restConnections - restConnections / 4 }
    /// TCP connections of the DNS service.
    let tcpConnections: Int
    /// Sockets to upstreams of each worker.
    let upstreamSocketsPerWorker: Int
    /// Health checks under way, each with a socket.
    let checks: Int
    /// The parts that get fewer than they ask for.
    let shortages: [Shortage]

    /// Divides `limit` as configured if it is high enough; otherwise each part gets less in proportion.
    ///
    /// - Parameter passedSockets: passed sockets, which are open in addition: workers use duplicates of them.
    /// - Throws: if the server could not work with so few.
    init(
        _ configuration: Configuration, limit: Int, coreCount: Int, passedSockets: Int = 0
    ) throws(StartError) {
        let workers = configuration.dns.workerCount(coreCount: coreCount)
        let sockets = 2 * configuration.dns.listen.count
        let fixed =
            Self.common + Self.restReserve + (coreCount + 16) * Self.eventLoop + workers * (Self.worker + sockets)
            + passedSockets
        let rest = configuration.server.maximumConnections
        let tcp = configuration.dns.tcp.maximumConnections
        let upstream = workers * Self.upstreamSockets
        let checks = configuration.checks.maximumConcurrent
        let available = limit - fixed
        let least = Self.minimum * (3 + workers)
        guard available >= least else {
            throw StartError(
                "\(limit) file descriptors are too few, at least \(fixed + least) are needed: raise the limit "
                    + "(ulimit -n, LimitNOFILE=)")
        }
        self.limit = limit
        guard rest + tcp + upstream + checks > available else {
            (restConnections, tcpConnections, upstreamSocketsPerWorker) = (rest, tcp, Self.upstreamSockets)
            self.checks = checks
            shortages = []
            return
        }
        let share = Double(available - least) / Double(rest + tcp + upstream + checks)
        func granted(_ wanted: Int) -> Int { min(wanted, Self.minimum + Int(Double(wanted) * share)) }
        restConnections = granted(rest)
        tcpConnections = granted(tcp)
        upstreamSocketsPerWorker = granted(Self.upstreamSockets)
        self.checks = granted(checks)
        shortages = [
            Shortage(key: "server.max_connections", wanted: rest, granted: restConnections),
            Shortage(key: "dns.tcp.max_connections", wanted: tcp, granted: tcpConnections),
            Shortage(
                key: "sockets to upstreams of a worker", wanted: Self.upstreamSockets,
                granted: upstreamSocketsPerWorker),
            Shortage(key: "checks.max_concurrent", wanted: checks, granted: self.checks),
        ].filter { $0.granted < $0.wanted }
    }

    /// Logs the limits, and a warning for each shortage.
    func log(_ logger: Logger) {
        logger.info(
            "file descriptors",
            metadata: [
                "limit": "\(limit)", "rest": "\(restConnections)", "dns_tcp": "\(tcpConnections)",
                "upstream_sockets_per_worker": "\(upstreamSocketsPerWorker)", "checks": "\(checks)",
            ]
        )
        for shortage in shortages {
            logger.warning(
                "lowered: the limit of file descriptors is too low for it",
                metadata: [
                    "key": "\(shortage.key)", "configured": "\(shortage.wanted)", "effective": "\(shortage.granted)",
                    "limit": "\(limit)",
                ]
            )
        }
    }
}
