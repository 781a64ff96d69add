import Engine
import FoundationEssentials

/// Instances as CoreDNS' etcd plugin, and SkyDNS before it, keep them in etcd:
/// `/skydns/local/cluster/orders/x1` has `{"host":"10.0.0.1","port":8080,…}` for `x1.orders.cluster.local`.
struct SkyDNSInstances {
    /// The path above all names, without a slash at its end.
    let prefix: String
    /// The labels of the domain whose names become services, the topmost first.
    private let zone: [String]
    let defaults: ImportDefaults

    /// - Parameter zone: `cluster.local`.
    init(prefix: String, zone: String, defaults: ImportDefaults) {
        self.prefix = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
        self.zone = zone.lowercased().split(separator: ".").reversed().map(String.init)
        self.defaults = defaults
    }

    /// A key with its value as etcd's JSON gateway, and `etcdctl get -w json`, give them; `nil`: it is none.
    func item(_ entry: JSONReading) -> ImportItem? {
        guard let key = Self.octets(entry["key"]), let value = Self.octets(entry["value"]) else { return nil }
        let path = String(decoding: key, as: UTF8.self)
        return ImportItem(place: path.escapingControls, registration: registration(path, value))
    }

    private func registration(_ path: String, _ value: [UInt8]) -> Result<JSONValue, ImportRefusal> {
        guard path.hasPrefix(prefix + "/") else {
            return .failure(ImportRefusal("is not below \(prefix)", isSkipped: true))
        }
        let labels = path.dropFirst(prefix.count).split(separator: "/").map { $0.lowercased() }
        guard labels.starts(with: zone) else {
            return .failure(
                ImportRefusal("is not in the zone \(zone.reversed().joined(separator: "."))", isSkipped: true))
        }
        // What is below the zone: the service, perhaps a tag, and what tells its instances apart.
        let names = labels.dropFirst(zone.count)
        guard let name = names.first else { return .failure(ImportRefusal("is the zone itself", isSkipped: true)) }
        guard names.count <= 3 else {
            return .failure(ImportRefusal("is more than three names below the zone: --zone says a lower one"))
        }
        guard let parsed = try? JSONParser.parse(value), case .object = parsed else {
            return .failure(ImportRefusal("has a value that is no JSON object"))
        }
        let record = JSONReading(parsed)
        guard let host = record["host"].text, !host.isEmpty else {
            return .failure(ImportRefusal("has no host: it is no address", isSkipped: true))
        }
        guard IPAddress(host) != nil else {
            return .failure(ImportRefusal("leads to the name \(host), and only addresses can be registered"))
        }
        guard let port = [record["port"].number, defaults.port].compactMap(\.self).first(where: { $0 != 0 }) else {
            return .failure(ImportRefusal("has no port: --port says one"))
        }
        var members = [
            JSONMember(name: "name", value: .string(name)), JSONMember(name: "ip", value: .string(host)),
            JSONMember(name: "port", value: .integer(port)),
        ]
        if names.count == 3 {
            members.append(JSONMember(name: "tags", value: .array([.string(names[names.startIndex + 1])])))
        }
        for field in ["priority", "weight"] {
            if let value = record[field].value { members.append(JSONMember(name: field, value: value)) }
        }
        if let ttl = record["ttl"].number, ttl > 0 {
            members.append(JSONMember(name: "dns_ttl", value: .integer(min(ttl, 86_400))))
        }
        var metadata: [JSONMember] = []
        for field in ["text", "group"] {
            guard let text = record[field].text, !text.isEmpty else { continue }
            metadata.append(JSONMember(name: field, value: .string(text)))
        }
        members.append(JSONMember(name: "metadata", value: .object(metadata)))
        return .success(.object(defaults.filled(members, ttl: defaults.ttl ?? 0)))
    }

    private static func octets(_ text: JSONReading) -> [UInt8]? {
        text.text.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    }
}
