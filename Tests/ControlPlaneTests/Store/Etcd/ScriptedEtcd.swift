import Foundation
import Synchronization

@testable import ControlPlane

/// etcd's JSON gateway on an ``EtcdModel``: a test decides what is answered when, and what never is.
final class ScriptedEtcd: EtcdGateway {
    /// The fate of a call.
    enum Fate: Sendable {
        case answer
        /// Nothing is done, and the call fails.
        case refuse
        /// Nothing is done, and etcd answers that it has no space.
        case denySpace
        /// It is carried out, but the call fails.
        case loseAnswer
        /// It is carried out; the answer comes after the signal.
        case holdAnswer(until: Signal)
        /// It is carried out after the signal.
        case hold(until: Signal)
        /// It is carried out twice, as if a client had lost its connection and sent it again: the second answer counts.
        case doTwice
    }

    private struct Watch {
        var next: Int64
        /// The range of keys that it reports: the start, and the end.
        var start: String
        var end: String
        var onOctets: @Sendable ([UInt8]) -> Bool
        var waiting: CheckedContinuation<Void, Never>?
        /// Whether its connection leads nowhere by now.
        var isDead = false
    }

    private struct State {
        var model = EtcdModel()
        /// The ttls of leases, in seconds.
        var leases: [Int64: Int] = [:]
        var nextLease: Int64 = 100
        var watches: [Watch] = []
        var isWatchHeld = false
        /// How many watches are to begin silently.
        var silentWatches = 0
        var calls: [String] = []
        /// The signals that calls wait for.
        var signals: [Signal] = []
    }

    let endpoint = "http://script"
    let timeout = Duration.seconds(5)
    private let state = Mutex(State())
    /// Decides about a call by its path and the number of earlier calls with that path.
    private let script = Mutex<@Sendable (_ path: String, _ count: Int) -> Fate>({ _, _ in .answer })
    /// Changes an answer.
    private let distortion = Mutex<@Sendable (_ path: String, _ answer: [UInt8]) -> [UInt8]>({ $1 })

    /// Is called with every request.
    private let observer = Mutex<@Sendable (_ path: String, _ body: String) -> Void>({ _, _ in })

    func watchRequests(_ observer: @escaping @Sendable (_ path: String, _ body: String) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    /// Sets the fate of calls from now on; they are counted anew.
    func follow(_ script: @escaping @Sendable (_ path: String, _ count: Int) -> Fate) {
        state.withLock { $0.calls = [] }
        self.script.withLock { $0 = script }
    }

    func distort(_ distortion: @escaping @Sendable (_ path: String, _ answer: [UInt8]) -> [UInt8]) {
        self.distortion.withLock { $0 = distortion }
    }

    // MARK: What a test looks at and does

    /// The paths of all calls since ``follow(_:)``.
    var calls: [String] { state.withLock { $0.calls } }

    var leases: Set<Int64> { state.withLock { Set($0.leases.keys) } }

    var keys: [String: EtcdModel.Value] { state.withLock { $0.model.keys } }

    var revision: Int64 { state.withLock { $0.model.revision } }

    /// The revision of a key's last write, even if it was deleted since; 0: never written.
    func revision(of key: String) -> Int64 {
        let index = state.withLock { $0.model.log.lastIndex { $0.contains { $0.key == key && $0.value != nil } } }
        return index.map { Int64($0) + 2 } ?? 0
    }

    /// Changes etcd as another node, or anybody else, would.
    func change(_ body: @Sendable (inout EtcdModel) -> Void) {
        state.withLock { state in
            body(&state.model)
            Self.tell(&state)
        }
    }

    /// Grants a lease.
    func grant(seconds: Int) -> Int64 {
        state.withLock { state in
            state.nextLease += 1
            state.leases[state.nextLease] = seconds
            return state.nextLease
        }
    }

    /// Ends a lease, and deletes all keys on it.
    func end(lease: Int64) {
        state.withLock { state in
            state.leases[lease] = nil
            let keys = state.model.keys.filter { $0.value.lease == lease }.keys
            state.model.delete(keys)
            Self.tell(&state)
        }
    }

    /// Holds back what watches report, until they may continue.
    func holdWatch(_ isHeld: Bool) {
        state.withLock { state in
            state.isWatchHeld = isHeld
            Self.tell(&state)
        }
    }

    /// Loses what the present watches report from now on; new ones work.
    func swallowWatches() {
        state.withLock { state in
            for index in state.watches.indices { state.watches[index].isDead = true }
        }
    }

    /// Ends the present watches, and makes the next one entirely silent.
    func silenceNextWatch() {
        state.withLock { state in
            state.silentWatches = 1
            for index in state.watches.indices { Self.end(&state, index) }
        }
    }

    /// How many watches there have been.
    var watchCount: Int { state.withLock { $0.watches.count } }

    /// Wipes all data.
    func wipe() {
        state.withLock { state in
            state.model = EtcdModel()
            state.leases = [:]
            for index in state.watches.indices { state.watches[index].isDead = true }
        }
    }

    // MARK: EtcdGateway

    nonisolated(nonsending) func answer(
        _ path: String, _ body: [UInt8], within limit: Duration
    ) async throws(EtcdError) -> [UInt8] {
        let count = state.withLock { state in
            defer { state.calls.append(path) }
            return state.calls.count { $0 == path }
        }
        observer.withLock { $0 }(path, String(decoding: body, as: UTF8.self))
        let fate = script.withLock { $0 }(path, count)
        let lost = EtcdError(kind: .unavailable, reason: "the script says so")
        if case .refuse = fate { throw lost }
        if case .denySpace = fate { throw EtcdError(kind: .exhausted, reason: "database space exceeded") }
        if case .hold(let signal) = fate { await wait(signal) }
        if case .doTwice = fate { _ = try Self.perform(path, body, state) }
        let answer = try Self.perform(path, body, state)
        if case .loseAnswer = fate { throw lost }
        if case .holdAnswer(let signal) = fate { await wait(signal) }
        return distortion.withLock { $0 }(path, answer)
    }

    nonisolated(nonsending) func stream(
        _ path: String, _ body: [UInt8], onOctets: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(EtcdError) {
        let request = Request(body)["create_request"]
        let from = request["start_revision"].number
        let (start, end) = (request["key"].text, request["range_end"].text)
        let distort = distortion.withLock { $0 }
        let number = Mutex<Int?>(nil)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    number.withLock { $0 = state.watches.count }
                    state.watches.append(
                        Watch(
                            next: from, start: start, end: end, onOctets: { onOctets(distort("watch", $0)) },
                            waiting: continuation))
                    if state.silentWatches > 0 {
                        state.silentWatches -= 1
                        state.watches[state.watches.count - 1].isDead = true
                        return
                    }
                    let created = #"{"result":{\#(Self.header(state)),"watch_id":"0","created":true}}"# + "\n"
                    if !onOctets(distort("watch", Array(created.utf8))) { Self.end(&state, state.watches.count - 1) }
                    Self.tell(&state)
                }
                if Task.isCancelled { self.end(number.withLock { $0 }) }
            }
        } onCancel: {
            self.end(number.withLock { $0 })
        }
    }

    private nonisolated(nonsending) func wait(_ signal: Signal) async {
        state.withLock { $0.signals.append(signal) }
        await signal.wait()
    }

    func distrustConnections() {}

    func shutdown() {
        state.withLock { state in
            for index in state.watches.indices { Self.end(&state, index) }
            for signal in state.signals { signal.send() }
        }
    }

    private func end(_ watch: Int?) {
        guard let watch else { return }
        state.withLock { Self.end(&$0, watch) }
    }

    private static func end(_ state: inout State, _ watch: Int) {
        state.watches[watch].isDead = true
        state.watches[watch].waiting.take()?.resume()
    }

    // MARK: What etcd does

    private static func perform(
        _ path: String, _ body: [UInt8], _ state: borrowing Mutex<State>
    ) throws(EtcdError) -> [UInt8] {
        let result = state.withLock { state -> Result<[UInt8], EtcdError> in
            do throws(EtcdError) {
                return .success(Array(try perform(path, body, &state).utf8))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func perform(_ path: String, _ body: [UInt8], _ state: inout State) throws(EtcdError) -> String {
        let request = Request(body)
        switch path {
        case "kv/range":
            return range(request, state)
        case "kv/put":
            state.model.put(request["key"].text, [])
            tell(&state)
            return "{\(header(state))}"
        case "kv/txn":
            let transaction = request.transaction
            for case .put(_, _, let lease) in transaction.success where lease != 0 && state.leases[lease] == nil {
                throw EtcdError(kind: .noSuchLease, reason: "requested lease not found")
            }
            let (hasSucceeded, found) = state.model.commit(transaction)
            let responses = zip(transaction.failure, found).map { operation, value -> String in
                guard case .get(let key) = operation else { return "{}" }
                return #"{"response_range":{\#(header(state))\#(value.map { ",\(values([(key, $0)]))" } ?? "")}}"#
            }
            tell(&state)
            return hasSucceeded
                ? #"{\#(header(state)),"succeeded":true}"#
                : #"{\#(header(state)),"responses":[\#(responses.joined(separator: ","))]}"#
        case "lease/grant":
            state.nextLease += 1
            state.leases[state.nextLease] = Int(request["TTL"].number)
            return #"{\#(header(state)),"ID":"\#(state.nextLease)","TTL":"\#(request["TTL"].number)"}"#
        case "lease/keepalive":
            return String(decoding: body, as: UTF8.self).split(separator: "}").map { line in
                let lease = Request(Array("\(line)}".utf8))["ID"].number
                let ttl = state.leases[lease].map { #","TTL":"\#($0)""# } ?? ""
                return #"{"result":{\#(header(state)),"ID":"\#(lease)"\#(ttl)}}"#
            }.joined(separator: "\n")
        case "lease/timetolive":
            let lease = request["ID"].number
            let keys = state.model.keys.filter { $0.value.lease == lease }.keys.map { "\"\(base64(Array($0.utf8)))\"" }
            let ttl = state.leases[lease] ?? -1
            return #"{\#(header(state)),"ID":"\#(lease)","TTL":"\#(ttl)","keys":[\#(keys.joined(separator: ","))]}"#
        case "lease/revoke":
            let lease = request["ID"].number
            guard state.leases.removeValue(forKey: lease) != nil else {
                throw EtcdError(kind: .noSuchLease, reason: "requested lease not found")
            }
            state.model.delete(state.model.keys.filter { $0.value.lease == lease }.keys)
            tell(&state)
            return "{\(header(state))}"
        default:
            throw EtcdError(kind: .rejected, reason: "no such call: \(path)")
        }
    }

    private static func range(_ request: Request, _ state: State) -> String {
        let (start, end) = (request["key"].text, request["range_end"].text)
        let limit = Int(request["limit"].number)
        let all = state.model.keys.filter { end.isEmpty ? $0.key == start : $0.key >= start && $0.key < end }
            .sorted { $0.key < $1.key }
        let page = limit > 0 ? Array(all.prefix(limit)) : all
        return "{\(header(state)),\(values(page)),\"more\":\(page.count < all.count)}"
    }

    /// Sends every watch what it has not reported: in one message, whatever the revisions, as etcd does when a watch
    /// catches up.
    private static func tell(_ state: inout State) {
        if state.isWatchHeld { return }
        for index in state.watches.indices where !state.watches[index].isDead {
            let watch = state.watches[index]
            var texts: [String] = []
            for (offset, all) in state.model.events(after: watch.next - 1).enumerated() {
                let revision = max(watch.next, 2) + Int64(offset)
                state.watches[index].next = revision + 1
                texts += all.filter { $0.key >= watch.start && $0.key < watch.end }.map { event in
                    let type = event.value == nil ? #""type":"DELETE","# : ""
                    let value = event.value ?? EtcdModel.Value(value: [], revision: revision, lease: 0)
                    return "{\(type)\"kv\":\(self.value(event.key, value))}"
                }
            }
            if texts.isEmpty { continue }
            let line = #"{"result":{\#(header(state)),"events":[\#(texts.joined(separator: ","))]}}"# + "\n"
            if !watch.onOctets(Array(line.utf8)) { end(&state, index) }
        }
    }

    private static func header(_ state: State) -> String {
        #""header":{"cluster_id":"7","member_id":"18446744073709551615","revision":"\#(state.model.revision)"}"#
    }

    private static func values(_ values: [(key: String, value: EtcdModel.Value)]) -> String {
        #""kvs":[\#(values.map { value($0.key, $0.value) }.joined(separator: ","))]"#
    }

    private static func value(_ key: String, _ value: EtcdModel.Value) -> String {
        #"{"key":"\#(base64(Array(key.utf8)))","value":"\#(base64(value.value))","create_revision":"1","#
            + #""mod_revision":"\#(value.revision)","version":"1","lease":"\#(value.lease)"}"#
    }

    private static func base64(_ octets: [UInt8]) -> String { Data(octets).base64EncodedString() }
}

/// What a request says.
private struct Request {
    private var json: JSONValue

    init(_ body: [UInt8]) { json = (try? JSONParser.parse(body)) ?? .null }

    private init(json: JSONValue) { self.json = json }

    subscript(name: String) -> Request {
        guard case .object(let members) = json else { return Request(json: .null) }
        return Request(json: members.first { $0.name == name }?.value ?? .null)
    }

    var elements: [Request] {
        if case .array(let elements) = json { elements.map(Request.init(json:)) } else { [] }
    }

    func isString(_ text: String) -> Bool { json == .string(text) }

    var isThere: Bool { json != .null }

    var number: Int64 {
        if case .string(let text) = json { Int64(text) ?? 0 } else { 0 }
    }

    var octets: [UInt8] {
        if case .string(let text) = json { Array(Data(base64Encoded: text) ?? Data()) } else { [] }
    }

    var text: String { String(decoding: octets, as: UTF8.self) }

    /// `kv/txn`
    var transaction: EtcdTransaction {
        EtcdTransaction(
            conditions: self["compare"].elements.map { condition in
                let isLimit = condition["result"].isString("LESS")
                return EtcdTransaction.Condition(
                    key: condition["key"].text, revision: condition["mod_revision"].number - (isLimit ? 1 : 0),
                    isLimit: isLimit)
            },
            success: self["success"].elements.map(\.operation),
            failure: self["failure"].elements.map(\.operation))
    }

    private var operation: EtcdTransaction.Operation {
        let (put, delete) = (self["request_put"], self["request_delete_range"])
        if put.isThere {
            return .put(key: put["key"].text, value: put["value"].octets, lease: put["lease"].number)
        }
        return delete.isThere ? .delete(key: delete["key"].text) : .get(key: self["request_range"]["key"].text)
    }
}
