import Testing

/// Three members of etcd.
final class EtcdCluster: Sendable {
    let members: [EtcdProcess]

    /// Starts all members.
    init() throws {
        members = try (1...3).map { try EtcdProcess(name: "member-\($0)") }
        for member in members { try member.start(members: members, isAwaited: false) }
        for member in members { try member.waitUntilHealthy() }
    }

    /// The settings with which a server uses it. One of the members is the first endpoint.
    func settings(first: Int = 0) -> [String: String] {
        let endpoints = members.indices.map { members[(first + $0) % members.count].endpoint }
        return EtcdProcess.settings(endpoints: endpoints, timeout: "1s")
    }

    /// The member that leads. It waits until there is one.
    var leader: EtcdProcess {
        get throws {
            var leader: EtcdProcess?
            try eventually(within: .seconds(20), "there is a leader") {
                leader = members.first { member in
                    guard let status = try? member.client.status() else { return false }
                    return status.member == status.leader
                }
                return leader != nil
            }
            return try #require(leader)
        }
    }

    /// Starts a member again.
    func start(_ member: EtcdProcess, isAwaited: Bool = true) throws {
        try member.start(members: members, isAwaited: isAwaited)
    }
}
