import Logging
import ServiceLifecycle
import UnixSignals

/// Logs the server's status on SIGUSR1, at any log level: somebody has asked for it.
struct StatusService: Service {
    let output: LogOutput
    /// The status, as JSON in one line.
    let status: @Sendable () -> String

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sigusr1).cancelOnGracefulShutdown() {
            output.log(.info, "status", metadata: ["status": .stringConvertible(JSONText(status()))])
        }
    }
}
