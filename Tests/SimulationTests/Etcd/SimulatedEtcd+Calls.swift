@testable import ControlPlane

extension SimulatedEtcd {
    /// Carries out a request to the JSON gateway.
    ///
    /// - Parameter skipped: the conditions that are not checked.
    func perform(
        _ path: String, _ body: [UInt8], skipping skipped: SkippedConditions
    ) -> Result<[UInt8], EtcdError> {
        switch path {
        case "kv/range": return .success(octets(range(GatewayRequest(body))))
        case "kv/put":
            change([(GatewayRequest(body)["key"].text, [], 0)])
            return .success(octets("{\(header)}"))
        case "kv/txn": return transaction(GatewayRequest(body), skipped)
        case "lease/grant":
            let ttl = GatewayRequest(body)["TTL"].number
            return .success(octets(#"{\#(header),"ID":"\#(grant(ttl: ttl))","TTL":"\#(ttl)"}"#))
        case "lease/keepalive":
            let leases = body.split(separator: UInt8(ascii: "}")).map { line in
                GatewayRequest(line + [UInt8(ascii: "}")])["ID"].number
            }
            // A node names them in the order of a set, which differs between runs. Those that end at the same time must
            // not.
            let ttls = leases.sorted().reduce(into: [Int64: Int64]()) { ttls, lease in ttls[lease] = renew(lease) }
            let lines = leases.map { lease -> String in
                let ttl = ttls[lease].map { #","TTL":"\#($0)""# } ?? ""
                return #"{"result":{\#(header),"ID":"\#(lease)"\#(ttl)}}"#
            }
            return .success(octets(lines.joined(separator: "\n")))
        case "lease/timetolive":
            let lease = GatewayRequest(body)["ID"].number
            let names = keys(on: lease).map { "\"\(GatewayRequest.base64(Array($0.utf8)))\"" }
            let ttl = leases[lease].map { max(0, ($0.end - world.now) / 1_000_000) } ?? -1
            let list = names.joined(separator: ",")
            return .success(octets(#"{\#(header),"ID":"\#(lease)","TTL":"\#(ttl)","keys":[\#(list)]}"#))
        case "lease/revoke":
            guard revoke(GatewayRequest(body)["ID"].number, "is given back") else { return .failure(Self.noSuchLease) }
            return .success(octets("{\(header)}"))
        default:
            return .failure(EtcdError(kind: .rejected, reason: "no such call: \(path)"))
        }
    }

    private static let noSuchLease = EtcdError(kind: .noSuchLease, reason: "requested lease not found")

    private func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// The start of a response.
    var header: String { #""header":{"revision":"\#(revision)"}"# }

    private func transaction(
        _ request: GatewayRequest, _ skipped: SkippedConditions
    ) -> Result<[UInt8], EtcdError> {
        let transaction = request.transaction
        for case .put(_, _, let lease) in transaction.success where lease != 0 && leases[lease] == nil {
            return .failure(Self.noSuchLease)
        }
        let holds = transaction.conditions.allSatisfy { condition in
            let revision = keys[condition.key]?.revision ?? 0
            if condition.isLimit { return skipped == .limits || revision <= condition.revision }
            return skipped == .revisions || revision == condition.revision
        }
        let operations = holds ? transaction.success : transaction.failure
        // Reads in the transaction see the state before it.
        let found = operations.map { operation -> [(key: String, value: Value)] in
            guard case .get(let key) = operation else { return [] }
            return keys[key].map { [(key, $0)] } ?? []
        }
        let changes = operations.compactMap { operation -> (key: String, value: [UInt8]?, lease: Int64)? in
            switch operation {
            case .put(let key, let value, let lease): (key, value, lease)
            case .delete(let key): (key, nil, 0)
            case .get: nil
            }
        }
        if holds {
            world.note("etcd: \(revision + 1) is \(changes.map { ($0.value == nil ? "-" : "+") + $0.key })")
        }
        change(changes)
        if holds { return .success(octets(#"{\#(header),"succeeded":true}"#)) }
        let responses = found.map { #"{"response_range":{\#(header),\#(values($0))}}"# }
        return .success(octets(#"{\#(header),"responses":[\#(responses.joined(separator: ","))]}"#))
    }

    private func range(_ request: GatewayRequest) -> String {
        let (start, end) = (request["key"].text, request["range_end"].text)
        if end.isEmpty { return "{\(header),\(values(keys[start].map { [(start, $0)] } ?? []))}" }
        let found = keys.filter { $0.key >= start && $0.key < end }.sorted { $0.key < $1.key }
        return "{\(header),\(values(found.map { ($0.key, $0.value) }))}"
    }

    private func values(_ values: [(key: String, value: Value)]) -> String {
        #""kvs":[\#(values.map { Self.keyValue($0.key, $0.value) }.joined(separator: ","))]"#
    }

    static func keyValue(_ key: String, _ value: Value) -> String {
        #"{"key":"\#(GatewayRequest.base64(Array(key.utf8)))","value":"\#(GatewayRequest.base64(value.octets))","#
            + #""mod_revision":"\#(value.revision)","lease":"\#(value.lease)"}"#
    }
}

/// The conditions of transactions that etcd does not check because of a fault put in on purpose.
enum SkippedConditions {
    case none
    /// Conditions on the revision of a key.
    case revisions
    /// Conditions that nothing was deregistered meanwhile.
    case limits
}
