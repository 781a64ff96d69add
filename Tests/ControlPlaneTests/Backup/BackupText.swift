import Engine

@testable import ControlPlane

/// A backup in memory.
struct BackupText: Sendable, Equatable {
    var octets: [UInt8]

    var text: String { String(decoding: octets, as: UTF8.self) }

    var lines: [String] { text.split(separator: "\n").map(String.init) }

    /// A whole backup.
    static func of(_ instances: [ServiceInstance], policies: [NamedPolicy] = []) -> BackupText {
        var writer = BackupWriter()
        let counts = BackupCounts(policies: policies.count, instances: instances.count)
        var octets = writer.header(
            BackupHeader(
                productVersion: "1.2.3", createdAt: WallTime(millisecondsSince1970: 0), index: 7, counts: counts))
        octets += writer.policies(policies)
        octets += writer.instances(instances)
        return BackupText(octets: octets + writer.end())
    }

    /// Lines of whatever kind, with an end line whose check sum is theirs.
    static func sealed(_ lines: [String], policies: Int = 0, instances: Int) -> BackupText {
        let octets = Array((lines.joined(separator: "\n") + "\n").utf8)
        let counts = #""policies":\#(policies),"instances":\#(instances)"#
        let end = #"{"end":{\#(counts),"sha256":"\#(TokenHash(of: octets).hexadecimal)"}}"# + "\n"
        return BackupText(octets: octets + Array(end.utf8))
    }

    /// Instances with everything that an instance can have.
    static var everything: [ServiceInstance] {
        var all: [ServiceInstance] = []
        var one = ServiceInstance.test(1, ip: "2001:db8::1", port: 65535, transport: .udp, tags: ["blue", "v2"])
        one.metadata = [
            MetadataEntry(
                key: "key with \"quotes\", \\ and \u{1F600}", value: "line\nbreak\r\n\u{0}\u{1F}\u{7F}\u{2028}"),
            MetadataEntry(key: "", value: ""), MetadataEntry(key: "__proto__", value: "</script>"),
            MetadataEntry(key: "long", value: String(repeating: "\u{1}", count: 16_000)),
        ]
        (one.weight, one.priority, one.ttlSeconds, one.dnsTTL) = (0, 65535, Int(Int32.max), 86_400)
        one.isDraining = true
        one.registeredAt = WallTime(millisecondsSince1970: 1_800_000_000_123)
        all.append(one)
        var checked = ServiceInstance.test(2, ttl: 0)
        checked.hasDefaultDNSTTL = true
        checked.checks = [
            Check(
                name: "web", kind: .http(HTTPCheck(usesTLS: true, path: "/x?y=%22\"")), deregisterAfter: .seconds(90)),
            Check(name: "port", kind: .tcp(port: 81)), Check(name: "t", kind: .ttl(.seconds(60)), initial: .critical),
            Check(name: "g", kind: .grpc(GRPCCheck(service: "a.B", usesTLS: true, serverName: "g.example"))),
            Check(name: "s", kind: .tls(TLSCheck(serverName: "s.example", verify: false, port: 444))),
        ]
        checked.results = [
            CheckRecord(
                name: "web", status: .critical, since: WallTime(millisecondsSince1970: 1000), output: "503 \"gone\"",
                durationMilliseconds: 12, checkedAt: WallTime(millisecondsSince1970: 2000)),
            CheckRecord(name: "t", status: .warning, since: WallTime(millisecondsSince1970: 5)),
        ]
        all.append(checked)
        for (place, origin) in IdentifierOrigin.allCases.enumerated() {
            var instance = ServiceInstance.test(UInt64(place) + 3, ip: "10.0.0.\(place)")
            instance.idOrigin = origin
            all.append(instance)
        }
        return all
    }

    static let policies = [
        NamedPolicy(name: "none", policy: ServicePolicy()),
        NamedPolicy(
            name: "orders",
            policy: ServicePolicy(
                strategy: .weighted, onEmpty: .lastKnown, emptyGrace: .seconds(7), priorities: .all,
                protectThreshold: 0.25, dnsTTL: 9, bounds: PolicyBounds(maximumWeight: 50, minimumPriority: 1))),
    ]
}

/// What a reader finds.
struct BackupContent: Sendable, Equatable {
    var policies: [NamedPolicy] = []
    var instances: [ServiceInstance] = []

    /// Reads a whole text.
    ///
    /// - Parameter pieceOctets: how many octets are read at once.
    init(_ octets: [UInt8], pieceOctets: Int = .max) throws(BackupProblem) {
        var reader = BackupReader(BackupReader.Rules(decoder: RegistrationDecoder(), client: .v4(0x7F00_0001)))
        var content = BackupContent()
        var rest = octets[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieceOctets))
            rest = rest.dropFirst(piece.count)
            try reader.read(piece) { item, _ in
                switch item {
                case .header: break
                case .policy(let policy): content.policies.append(policy)
                case .instance(let instance): content.instances.append(instance)
                }
            }
        }
        _ = try reader.finish()
        self = content
    }

    private init() {}
}
