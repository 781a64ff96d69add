import Synchronization
import Testing

extension StorageTests {
    /// kill -9 loses nothing that was acknowledged, and brings nothing back.
    @Suite struct SQLiteCrashTests {
        @Test func `after each of 20 kills under load all that was acknowledged is as it was`() async throws {
            let database = try Database()
            let clients = (0..<8).map { CrashClient($0) }
            var generator = SeededGenerator(seed: 1)
            for round in 1...20 {
                let server = try ServerProcess(database.settings)
                // What the previous round has left is checked.
                let rest = try HTTPConnection(server.rest)
                let listed = Dictionary(uniqueKeysWithValues: try rest.list().map { ($0.id, $0) })
                for client in clients {
                    try client.compare(with: listed, "round \(round)")
                    let answer = try server.ask("\(client.service).service.kong", over: .tcp)
                    try #require(Set(answer.texts) == client.addresses, "round \(round)")
                }
                try #require(listed.count == clients.map(\.count).reduce(0, +), "round \(round)")

                let enough = Int.random(in: 20...300, using: &generator)
                let before = clients.map(\.acknowledged).reduce(0, +)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for client in clients {
                        group.addTask { try client.work(server.rest) }
                    }
                    try eventually("\(enough) are acknowledged") {
                        clients.map(\.acknowledged).reduce(0, +) >= before + enough
                    }
                    try server.kill()
                    try await group.waitForAll()
                }
            }
            #expect(clients.map(\.acknowledged).reduce(0, +) > 2000)
            for client in clients { #expect(client.kinds == Set(CrashClient.Kind.allCases)) }
        }
    }
}

/// Registers, changes and deregisters instances of its own, and knows what the server must have.
private final class CrashClient: Sendable {
    enum Kind: CaseIterable { case register, replace, change, deregister }

    /// What the API shows of an instance; `nil` if it shows none.
    fileprivate struct Told: Equatable {
        var ip: String
        var weight: Int
        var isDraining: Bool
    }

    fileprivate struct State {
        var generator: SeededGenerator
        var known: [String: Told] = [:]
        /// The unanswered change, which may have been made or not.
        var pending: (id: String, told: Told?)?
        var kinds: Set<Kind> = []
        var acknowledged = 0
    }

    let service: String
    private let number: Int
    private let state: Mutex<State>

    init(_ number: Int) {
        self.number = number
        service = "service-\(number)"
        state = Mutex(State(generator: SeededGenerator(seed: UInt64(100 + number))))
    }

    /// The number of its instances.
    var count: Int { state.withLock { $0.known.count } }
    /// The addresses that DNS must answer.
    var addresses: Set<String> {
        let healthy = state.withLock { $0.known.values.filter { !$0.isDraining } }
        // Instances of weight 0 stand by.
        let active = healthy.filter { $0.weight > 0 }
        return Set((active.isEmpty ? healthy : active).map(\.ip))
    }
    /// The kinds of acknowledged changes so far, and their number.
    var kinds: Set<Kind> { state.withLock { $0.kinds } }
    var acknowledged: Int { state.withLock { $0.acknowledged } }

    /// Requires the list to match what it knows, and learns from the list whether the unanswered change was made.
    func compare(with list: [String: WholeInstance], _ what: String) throws {
        try state.withLock { state in
            var ids = Set(state.known.keys).union(list.values.filter { $0.name == service }.map(\.id))
            if let pending = state.pending { ids.insert(pending.id) }
            for id in ids {
                let told = list[id].map { Told(ip: $0.ip, weight: $0.weight, isDraining: $0.status == "draining") }
                let isPending = state.pending.map { $0.id == id && $0.told == told } ?? false
                try #require(told == state.known[id] || isPending, "\(what): \(id)")
                state.known[id] = told
            }
            state.pending = nil
        }
    }

    /// Works until the server is gone.
    func work(_ endpoint: Endpoint) throws {
        do {
            let rest = try HTTPConnection(endpoint)
            while true {
                let (kind, id, told) = state.withLock { $0.next(number) }
                switch kind {
                case .register, .replace:
                    try rest.register(Registration(service, told?.ip ?? "", id: id, weight: told?.weight))
                case .change:
                    let change = #"{"weight":\#(told?.weight ?? 0),"draining":\#(told?.isDraining ?? false)}"#
                    try rest.patch(id, change)
                case .deregister:
                    try rest.deregister(id)
                }
                state.withLock { state in
                    state.known[id] = told
                    state.pending = nil
                    state.kinds.insert(kind)
                    state.acknowledged += 1
                }
            }
        } catch is HTTPConnection.Failure {
            // It was closed within a response, or before it.
        } catch is SocketError {
            // It was refused or reset.
        }
    }
}

extension CrashClient.State {
    /// Decides on the next change, which is pending from now on.
    fileprivate mutating func next(_ client: Int) -> (CrashClient.Kind, id: String, told: CrashClient.Told?) {
        let id = "c\(client)-\(Int.random(in: 0..<20, using: &generator))"
        let weight = Int.random(in: 0...1000, using: &generator)
        var ip: String { "10.\(client).\(Int.random(in: 0...255, using: &generator)).1" }
        var kind = CrashClient.Kind.register
        var told: CrashClient.Told?
        if let now = known[id] {
            kind = [.replace, .change, .deregister].randomElement(using: &generator) ?? .replace
            switch kind {
            case .change:
                let isDraining = Bool.random(using: &generator)
                told = CrashClient.Told(ip: now.ip, weight: weight, isDraining: isDraining)
            case .deregister: told = nil
            // It stays draining if it was draining.
            default: told = CrashClient.Told(ip: ip, weight: weight, isDraining: now.isDraining)
            }
        } else {
            told = CrashClient.Told(ip: ip, weight: weight, isDraining: false)
        }
        pending = (id, told)
        return (kind, id, told)
    }
}
