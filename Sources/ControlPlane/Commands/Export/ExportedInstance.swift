import Engine

/// An instance without what only its server knows, so that another one can take it in.
struct ExportedInstance {
    /// What changes from run to run of a check.
    private static let results: Set<String> = ["status", "since", "output", "duration_ms", "checked_at"]
    private static let times: Set<String> = ["registered_at", "last_heartbeat", "expires_at"]

    /// The body of a registration; with `status`, which a registration ignores, and an import reads.
    let json: JSONValue

    init(_ instance: JSONReading) {
        let members = instance.members.filter { member in
            if member.name == "id" { return !Self.hasDerivedID(instance) }
            return !Self.times.contains(member.name)
        }
        json = .object(
            members.map { member in
                guard member.name == "checks" else { return member }
                let checks = JSONReading(member.value).elements.map { check in
                    JSONValue.object(check.members.filter { !Self.results.contains($0.name) })
                }
                return JSONMember(name: "checks", value: .array(checks))
            })
    }

    /// Whether the id follows from the endpoint. Then it is left out: a client that registers without one finds its
    /// instance again on the other server.
    private static func hasDerivedID(_ instance: JSONReading) -> Bool {
        guard let name = instance["name"].text, let address = instance["ip"].text.flatMap({ IPAddress($0) }),
            let port = instance["port"].number.flatMap({ UInt16(exactly: $0) }),
            let transport = instance["protocol"].text.flatMap({ TransportProtocol(rawValue: $0) })
        else { return false }
        let derived = InstanceIdentifier.make(name: name, address: address, port: port, transport: transport)
        return instance["id"].text == derived
    }
}
