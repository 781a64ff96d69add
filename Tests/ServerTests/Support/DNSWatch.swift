import Foundation
import Synchronization
import Testing

/// Asks one server for the same names over UDP all the time, and remembers every wrong or missing answer.
final class DNSWatch: Sendable {
    /// The time within which an answer must come: no client waits longer.
    static let patience: Duration = .seconds(2)

    private let endpoint: Endpoint
    private let expected: [String: Set<String>]
    private let over = Countdown()
    private let ended = DispatchSemaphore(value: 0)
    private let result = Mutex((asked: 0, problems: [String]()))

    /// Starts.
    ///
    /// - Parameter expected: the addresses that every answer for a service must have.
    init(_ server: ServerProcess, _ expected: [String: Set<String>]) throws {
        endpoint = try #require(server.dns.first)
        self.expected = expected
        Thread.detachNewThread { [weak self, over, ended] in
            while !over.isOver, let watch = self {
                for (name, addresses) in watch.expected { watch.look(name, addresses) }
            }
            ended.signal()
        }
    }

    /// The number of answers so far.
    var asked: Int { result.withLock { $0.asked } }

    /// Waits for this many answers from now on. If something is wrong now, it has been seen by then.
    func waitForAnswers(_ count: Int) throws {
        let before = asked
        try eventually("\(count) more answers; \(problems)") { asked >= before + count }
    }

    /// Ends. Nothing must have been wrong.
    func stop(at location: SourceLocation = #_sourceLocation) {
        over.step()
        ended.wait()
        #expect(problems.isEmpty, "of \(asked) answers", sourceLocation: location)
        #expect(asked > 0, sourceLocation: location)
    }

    private var problems: [String] { result.withLock { $0.problems } }

    private func look(_ name: String, _ addresses: Set<String>) {
        let start = ContinuousClock.now
        let problem: String?
        do {
            // Each query has a new socket, which any worker may have.
            let reply = try DNSClient(endpoint).ask("\(name).service.kong")
            let waited = start.duration(to: .now)
            if Set(reply.texts) != addresses {
                problem = "\(name): \(reply.code.map { "\($0)" } ?? "?") \(reply.texts)"
            } else {
                problem = waited > Self.patience ? "\(name): answered after \(waited)" : nil
            }
        } catch {
            problem = "\(name): \(error)"
        }
        result.withLock { result in
            result.asked += 1
            // The first problems say enough.
            if let problem, result.problems.count < 10 { result.problems.append(problem) }
        }
    }
}
