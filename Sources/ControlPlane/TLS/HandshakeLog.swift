import Engine
import Logging
import Synchronization

/// Counts handshakes that have failed, and logs them: ten lines in ten seconds, and then how many others there were.
final class HandshakeLog: Sendable {
    private let logger: Logger
    private let lines: LimitedLines
    private let failures = Mutex<[HandshakeFailure.Kind: UInt64]>([:])

    init(logger: Logger, timers: any Timers = EventLoopTimers.shared) {
        self.logger = logger
        lines = LimitedLines(LineLimit(lines: 10, in: .seconds(10)), time: .system, timers: timers)
    }

    /// Notes that a connection is closed because its handshake has failed.
    func note(_ failure: HandshakeFailure, client: IPAddress?) {
        failures.withLock { $0[failure.kind, default: 0] &+= 1 }
        var metadata: Logger.Metadata = ["client": "\(client.map(\.description) ?? "unknown")"]
        switch failure {
        case .ended: logger.debug("a client has left in the TLS handshake", metadata: metadata)
        case .secureHello: logger.debug("a client speaks TLS, and this port does not", metadata: metadata)
        case .certificate(let reason):
            metadata["reason"] = "\(reason)"
            write("a client's certificate is refused", metadata)
        case .protocolError(let reason):
            metadata["reason"] = "\(reason)"
            write("a TLS handshake has failed", metadata)
        case .plainHTTP: write("a client is told that this port speaks HTTPS: it speaks HTTP", metadata)
        case .timeout: write("a client has stopped in the TLS handshake", metadata)
        }
    }

    /// How many connections had no session since the start, by why.
    var counts: [HandshakeFailure.Kind: UInt64] { failures.withLock { $0 } }

    /// Notes that an established connection ends because of what the client has sent.
    func noteEnd(_ error: any Error, client: IPAddress?) {
        logger.debug(
            "a TLS connection has ended",
            metadata: [
                "client": "\(client.map(\.description) ?? "unknown")", "reason": "\(HandshakeFailure.words(error))",
            ])
    }

    private func write(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        let isWritten = lines.take { [logger] count in
            logger.warning("more TLS handshakes have failed", metadata: ["count": "\(count)"])
        }
        if isWritten { logger.warning(message, metadata: metadata) }
    }
}
