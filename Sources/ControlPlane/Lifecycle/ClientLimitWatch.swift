import Engine
import Logging
import ServiceLifecycle

/// Logs which client networks are above a limit: each once a second, and ten of them at most.
struct ClientLimitWatchService: Service {
    private static let interval = Duration.seconds(1)
    private static let maximumLines = 10

    let engine: Engine
    let logger: Logger

    func run() async throws {
        let looks = Ticker(every: Self.interval, on: EventLoopTimers.shared)
        for await _ in looks.ticks.cancelOnGracefulShutdown() {
            Self.log(
                engine.takeLimitedNetworks(), above: "dns.rate_limit",
                "a client network asks the same too often: of these responses some are truncated, the others dropped",
                to: logger)
            Self.log(
                engine.takeCrowdingNetworks(), above: "dns.upstream.max_inflight",
                "a client network has a quarter of max_inflight under way: more are SERVFAIL or replace others",
                to: logger)
        }
    }

    /// Logs the networks with the most responses.
    static func log(_ limited: LimitedNetworks, above limit: String, _ message: Logger.Message, to logger: Logger) {
        let networks = limited.counts.sorted { ($0.value, $1.key.description) > ($1.value, $0.key.description) }
        for (network, count) in networks.prefix(maximumLines) {
            logger.warning(
                message, metadata: ["network": "\(network)", "count": "\(count)", "limit": "\(limit)"])
        }
        let others = networks.dropFirst(maximumLines).reduce(limited.others) { $0 + $1.value }
        guard others > 0 else { return }
        logger.warning(
            "further client networks are above a limit", metadata: ["count": "\(others)", "limit": "\(limit)"])
    }
}
