import Foundation
import Synchronization
import Testing

/// Runs several servers that share a registry while `body` runs. It must leave all running servers working.
///
/// - Parameters:
///   - settings: the settings of each server.
///   - toleratesErrors: whether their logs may contain errors, because the test causes some.
func withNodes(
    _ settings: [[String: String]],
    toleratesErrors: Bool = false,
    _ body: ([ServerProcess]) async throws -> Void
) async throws {
    var nodes: [ServerProcess] = []
    do {
        for settings in settings { nodes.append(try ServerProcess(settings)) }
        try await body(nodes)
        for node in nodes where !(try node.process.hasEnded()) { try node.stop() }
    } catch {
        for node in nodes { node.process.signal(SIGKILL) }
        let logs = nodes.map { ((try? $0.process.waitForExit()).map { "\($0)" } ?? "?") + "\n" + $0.process.errors }
        Issue.record("the test stopped with \(error); the nodes:\n\(logs.joined(separator: "\n"))")
        return
    }
    let bad = nodes.map(\.logLines).joined().filter { $0.contains(" error ") || $0.contains(" critical ") }
    #expect(bad.isEmpty || toleratesErrors, "\(bad)")
}

/// Sends heartbeats all the time from a thread of its own. Each must be accepted.
final class Heartbeats: Sendable {
    private let over = Countdown()
    private let ended = DispatchSemaphore(value: 0)
    private let result = Mutex((rounds: 0, problem: String?.none))

    /// Starts.
    init(_ ids: [String], at server: ServerProcess) {
        Thread.detachNewThread { [weak self, over, ended] in
            do {
                let rest = try HTTPConnection(server.rest)
                while !over.isOver {
                    let response = try rest.request("POST", "/api/v1/heartbeats", json(["ids": ids]))
                    guard response.text == #"{"renewed":\#(ids.count),"unknown":[]}\#n"# else {
                        throw HTTPConnection.Failure(description: "\(response.status) \(response.text)")
                    }
                    self?.result.withLock { $0.rounds += 1 }
                    usleep(100_000)
                }
            } catch {
                self?.result.withLock { $0.problem = "\(error)" }
            }
            ended.signal()
        }
    }

    deinit { over.step() }

    /// Ends.
    func stop(at location: SourceLocation = #_sourceLocation) {
        over.step()
        ended.wait()
        let (rounds, problem) = result.withLock { $0 }
        #expect(rounds > 0, sourceLocation: location)
        #expect(problem == nil, "after \(rounds) rounds", sourceLocation: location)
    }
}

/// Registers one new instance after the other from a thread of its own. Each must be accepted.
final class Registrations: Sendable {
    private let over = Countdown()
    private let ended = DispatchSemaphore(value: 0)
    private let result = Mutex((ids: [String](), problem: String?.none))

    /// Starts.
    ///
    /// - Parameter service: the service of the instances, and the beginning of their ids.
    init(_ service: String, at server: ServerProcess) {
        Thread.detachNewThread { [weak self, over, ended] in
            do {
                let rest = try HTTPConnection(server.rest)
                var number = 0
                while !over.isOver {
                    number += 1
                    let id = "\(service)-\(number)"
                    try rest.register(Registration(service, "10.0.0.1", port: number, id: id, ttl: 60))
                    self?.result.withLock { $0.ids.append(id) }
                }
            } catch {
                self?.result.withLock { $0.problem = "\(error)" }
            }
            ended.signal()
        }
    }

    deinit { over.step() }

    /// The number of accepted instances.
    var count: Int { result.withLock { $0.ids.count } }

    /// Whether one was not accepted.
    var hasEnded: Bool { result.withLock { $0.problem != nil } }

    /// Ends.
    ///
    /// - Returns: the ids of the accepted instances.
    func stop(at location: SourceLocation = #_sourceLocation) -> [String] {
        over.step()
        ended.wait()
        let (ids, problem) = result.withLock { $0 }
        #expect(problem == nil, "after \(ids.count)", sourceLocation: location)
        return ids
    }
}

extension ServerProcess {
    /// Waits until the node answers these addresses for a service: a change at another node has arrived.
    func waitForAddresses(
        _ service: String,
        _ addresses: Set<String>,
        within time: Duration = .seconds(15),
        at location: SourceLocation = #_sourceLocation
    ) throws {
        var last: Set<String> = []
        try eventually(within: time, "\(service) is \(addresses); last: \(last)", at: location) {
            last = Set(try ask("\(service).service.kong", over: .tcp).texts)
            return last == addresses
        }
    }

    /// Waits until the node reports this state of its storage.
    func waitForStorage(
        _ health: String,
        within time: Duration = .seconds(20),
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let connection = try HTTPConnection(rest)
        try eventually(within: time, "storage is \(health)", at: location) {
            try connection.storage().health == health
        }
    }
}
