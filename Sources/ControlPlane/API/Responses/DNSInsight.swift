import Engine
import Synchronization

/// What the API needs to tell what DNS does; the engine has it, and so do tests.
protocol DNSInsight: Sendable {
    /// The origin of the services' zone, in wire form and lower case.
    var serviceOrigin: [UInt8] { get }
    /// What clients have asked; see ``Engine/queryStatistics()``.
    func queryStatistics() -> QueryStatistics
    /// What each worker would answer; see ``Engine/inspect(_:type:client:_:)``.
    func inspect(
        _ name: [UInt8], type: UInt16, client: IPAddress?, _ completion: @escaping @Sendable ([Inspection]) -> Void)
    /// How long ago a question could not be answered by any upstream; see ``Engine/failureAge(_:type:)``.
    func failureAge(_ name: [UInt8], type: UInt16) -> Duration?
    /// The state of the upstreams, in the configured order.
    func upstreamStatistics() -> [UpstreamStatistics]
}

extension Engine: DNSInsight {}

extension DNSInsight {
    /// What each worker would answer.
    ///
    /// - Returns: nothing if no worker runs, or if one does not answer within a second.
    func inspections(_ name: [UInt8], type: UInt16, client: IPAddress?) async -> [Inspection] {
        await withCheckedContinuation { continuation in
            let waiting = OneAnswer(continuation)
            EventLoopTimers.shared.once(after: .seconds(1)) { waiting.resume([]) }
            inspect(name, type: type, client: client) { waiting.resume($0) }
        }
    }
}

/// Resumes with the first answer.
private final class OneAnswer: Sendable {
    private let continuation: Mutex<CheckedContinuation<[Inspection], Never>?>

    init(_ continuation: CheckedContinuation<[Inspection], Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume(_ inspections: [Inspection]) {
        continuation.withLock { $0.take() }?.resume(returning: inspections)
    }
}
