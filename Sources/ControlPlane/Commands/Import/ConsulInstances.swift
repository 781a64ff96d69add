/// Instances as Consul's HTTP API gives them: `/v1/catalog/service/NAME`, `/v1/health/service/NAME` and
/// `/v1/agent/services`.
struct ConsulInstances {
    /// The metadata that has tags which can't be ours, because they are no DNS labels.
    static let tagsKey = "consul_tags"

    let defaults: ImportDefaults

    /// The instances of an item; `nil`: it is none of Consul's.
    func registrations(_ item: JSONReading) -> [Result<JSONValue, ImportRefusal>]? {
        if item["ServiceName"].text != nil { return [catalogService(item)] }
        if !item["Service"].members.isEmpty { return [healthService(item)] }
        if item["Service"].text != nil { return [service(item, node: JSONReading(nil))] }
        let services = item.members.map { JSONReading($0.value) }
        if services.isEmpty || services.contains(where: { $0["Service"].text == nil }) { return nil }
        return services.map { service($0, node: JSONReading(nil)) }
    }

    /// An element of `/v1/catalog/service/NAME`.
    private func catalogService(_ item: JSONReading) -> Result<JSONValue, ImportRefusal> {
        registration(
            name: item["ServiceName"], address: item["ServiceAddress"], nodeAddress: item["Address"],
            port: item["ServicePort"], tags: item["ServiceTags"], metadata: item["ServiceMeta"],
            weight: item["ServiceWeights"]["Passing"], kind: item["ServiceKind"])
    }

    /// An element of `/v1/health/service/NAME`.
    private func healthService(_ item: JSONReading) -> Result<JSONValue, ImportRefusal> {
        if let check = item["Checks"].elements.first(where: { $0["Status"].text == "critical" }) {
            return .failure(ImportRefusal("critical in Consul: check '\(check["Name"].shown)'", isSkipped: true))
        }
        return service(item["Service"], node: item["Node"])
    }

    /// A service of `/v1/agent/services`.
    private func service(_ service: JSONReading, node: JSONReading) -> Result<JSONValue, ImportRefusal> {
        registration(
            name: service["Service"], address: service["Address"], nodeAddress: node["Address"], port: service["Port"],
            tags: service["Tags"], metadata: service["Meta"], weight: service["Weights"]["Passing"],
            kind: service["Kind"])
    }

    /// The body of a registration. It has no id: those of Consul are unique on their node only.
    private func registration(
        name: JSONReading, address: JSONReading, nodeAddress: JSONReading, port: JSONReading, tags: JSONReading,
        metadata: JSONReading, weight: JSONReading, kind: JSONReading
    ) -> Result<JSONValue, ImportRefusal> {
        if let kind = kind.text, !kind.isEmpty {
            return .failure(ImportRefusal("a \(kind) of Consul's service mesh", isSkipped: true))
        }
        let addresses = [address.text, nodeAddress.text, defaults.ip]
        guard let ip = addresses.compactMap(\.self).first(where: { !$0.isEmpty }) else {
            return .failure(ImportRefusal("has no address, as its agent's is not in here: --ip says it"))
        }
        guard let port = [port.number, defaults.port].compactMap(\.self).first(where: { $0 != 0 }) else {
            return .failure(ImportRefusal("has no port: --port says one"))
        }
        var entries = metadata.members
        let tags = tags.elements.compactMap(\.text)
        let labels = tags.filter { InstanceFields.label($0) != nil }
        if labels.count < tags.count {
            let others = tags.filter { InstanceFields.label($0) == nil }.joined(separator: ",")
            entries.append(JSONMember(name: Self.tagsKey, value: .string(others)))
        }
        var members = [
            JSONMember(name: "name", value: name.value ?? .null), JSONMember(name: "ip", value: .string(ip)),
            JSONMember(name: "port", value: .integer(port)),
            JSONMember(name: "tags", value: .array(labels.map { .string($0) })),
            JSONMember(name: "metadata", value: .object(entries)),
        ]
        if let weight = weight.value { members.append(JSONMember(name: "weight", value: weight)) }
        return .success(.object(defaults.filled(members, ttl: defaults.ttl ?? 0)))
    }
}
