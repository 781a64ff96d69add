import Foundation
import Glibc
import Synchronization
import Testing

extension StorageTests {
    /// A cluster of three etcd members, one of which is lost.
    @Suite struct EtcdClusterTests {
        @Test func `kill -9 of the leader under load loses nothing acknowledged, and DNS goes on`() async throws {
            let cluster = try EtcdCluster()
            let settings = (0..<2).map { cluster.settings(first: $0) }
            try await withNodes(settings, toleratesErrors: true) { nodes in
                for node in nodes { try Self.registerSteady(node) }
                let watches = try nodes.map { try DNSWatch($0, ["steady": ["10.0.0.1", "10.0.0.2"]]) }
                let heartbeats = Heartbeats(["steady-1", "steady-2"], at: nodes[0])
                let clients = (0..<8).map { ClusterClient($0) }
                let over = Countdown()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, client) in clients.enumerated() {
                        group.addTask { try client.work(nodes[number % 2].rest, until: over) }
                    }
                    defer { over.step() }
                    func waitForProgress() throws {
                        let before = clients.map(\.count)
                        try eventually(within: .seconds(20), "every client gets on") {
                            zip(clients, before).allSatisfy { $0.count >= $1 + 5 }
                        }
                    }
                    // This happens twice, so that the lost member has to catch up in between.
                    for _ in 0..<2 {
                        try waitForProgress()
                        let leader = try cluster.leader
                        try leader.kill()
                        try waitForProgress()
                        try cluster.start(leader)
                    }
                    try waitForProgress()
                    over.step()
                    try await group.waitForAll()
                }
                for watch in watches { watch.stop() }
                heartbeats.stop()
                for node in nodes {
                    try node.waitForStorage("pass")
                    try eventually("all that was acknowledged is there") {
                        let ids = Set(try HTTPConnection(node.rest).list().map(\.id))
                        return clients.allSatisfy { $0.isKept(in: ids) }
                    }
                }
                let keys = try cluster.leader.client.entries("/kong-discovery/v1/services/").map {
                    $0.key.split(separator: "/").last.map(String.init) ?? ""
                }
                #expect(clients.allSatisfy { $0.isKept(in: Set(keys)) })
            }
        }

        private static func registerSteady(_ node: ServerProcess) throws {
            for number in 1...2 {
                try HTTPConnection(node.rest).register(
                    Registration("steady", "10.0.0.\(number)", id: "steady-\(number)", ttl: 3))
            }
            try node.waitForAddresses("steady", ["10.0.0.1", "10.0.0.2"])
        }

        enum Loss: CaseIterable { case follower, leader, frozenLeader, majority }

        @Test(arguments: Loss.allCases)
        func `a member can be lost`(loss: Loss) async throws {
            let cluster = try EtcdCluster()
            let leader = try cluster.leader
            let followers = cluster.members.filter { $0.name != leader.name }
            let lost = loss == .follower ? [followers[0]] : loss == .majority ? followers : [leader]
            // The first of the node's endpoints is the member that is lost.
            let first = cluster.members.firstIndex { $0.name == lost[0].name } ?? 0
            try await withNodes([cluster.settings(first: first)], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try Self.registerSteady(nodes[0])
                let heartbeats = Heartbeats(["steady-1", "steady-2"], at: nodes[0])
                let watch = try DNSWatch(nodes[0], ["steady": ["10.0.0.1", "10.0.0.2"]])
                for member in lost { if loss == .frozenLeader { member.freeze() } else { try member.kill() } }
                if loss == .majority {
                    try rest.expectUnavailable("steady-1", within: .seconds(2))
                    try nodes[0].waitForStorage("fail")
                } else {
                    try eventually(within: .seconds(15), "writes work with two members") {
                        let body = json(Registration("new", "10.0.0.9", id: "new", ttl: 60))
                        return try rest.request("POST", "/api/v1/services", body).status < 300
                    }
                    try nodes[0].waitForStorage("pass")
                    try eventually("another member is asked") {
                        try rest.storage().endpoint?.contains("\(lost[0].endpoint)") == false
                    }
                    // Changes of other clients are seen as well.
                    let other = try #require(cluster.members.first { member in !lost.contains { $0 === member } })
                    // etcd itself takes some seconds to report its leader, and on a busy machine longer than a request
                    // may take.
                    try eventually(within: .seconds(30), "etcd deletes the key") {
                        (try? other.client.delete("/kong-discovery/v1/services/new/")) != nil
                    }
                    try nodes[0].waitForAddresses("new", [], within: .seconds(10))
                }
                for member in lost { if loss == .frozenLeader { member.thaw() } else { try cluster.start(member) } }
                try nodes[0].waitForStorage("pass", within: .seconds(15))
                try eventually("writes work with three members") {
                    let body = json(Registration("after", "10.0.0.8", id: "after", ttl: 60))
                    return try rest.request("POST", "/api/v1/services", body).status < 300
                }
                try watch.waitForAnswers(50)
                watch.stop()
                heartbeats.stop()
            }
        }
    }
}

/// Registers and deregisters instances of its own, and repeats each change until it is acknowledged.
private final class ClusterClient: Sendable {
    private struct State {
        var kept: Set<String> = []
        var gone: Set<String> = []
    }

    private let number: Int
    private let state = Mutex(State())

    init(_ number: Int) {
        self.number = number
    }

    /// The number of acknowledged changes.
    var count: Int { state.withLock { $0.kept.count + $0.gone.count * 2 } }

    /// Whether the instances that must be there are there, and those that must not be there are not.
    func isKept(in ids: Set<String>) -> Bool {
        state.withLock { ids.isSuperset(of: $0.kept) && ids.isDisjoint(with: $0.gone) }
    }

    func work(_ endpoint: Endpoint, until over: Countdown) throws {
        let rest = try HTTPConnection(endpoint)
        var round = 0
        while !over.isOver {
            round += 1
            let id = "c\(number)-\(round)"
            let body = json(Registration("s\(number)", "10.1.\(number).\(round % 250)", id: id, ttl: 600))
            try acknowledged(rest, "POST", "/api/v1/services", body, [200, 201])
            _ = state.withLock { $0.kept.insert(id) }
            if round % 3 == 0 {
                // It is gone already if the first attempt was carried out and not acknowledged.
                try acknowledged(rest, "DELETE", "/api/v1/services/\(id)", nil, [204, 404])
                state.withLock { state in
                    state.kept.remove(id)
                    state.gone.insert(id)
                }
            }
        }
    }

    private func acknowledged(
        _ rest: HTTPConnection,
        _ method: String,
        _ path: String,
        _ body: String?,
        _ statuses: [Int]
    ) throws {
        while true {
            let response = try rest.request(method, path, body)
            if statuses.contains(response.status) { return }
            try #require(response.status == 503, "\(response.text)")
            usleep(20_000)
        }
    }
}
