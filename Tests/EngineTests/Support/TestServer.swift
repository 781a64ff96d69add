@testable import Engine

/// The function from packet to answer, with a zone of its own. Replies are read by ldns.
final class TestServer {
    static let origin = "service.kong"

    private var responder: InProcessResponder
    private var serial: UInt32 = 1

    init(_ configuration: EngineConfiguration = .test()) throws {
        responder = try InProcessResponder(configuration)
    }

    convenience init(_ names: [String: NameContent], _ configuration: EngineConfiguration = .test()) throws {
        try self.init(configuration)
        try publish(names)
    }

    func publish(
        _ names: [String: NameContent], strategy: RotationStrategyName? = nil, isStale: Bool = false
    ) throws {
        serial += 1
        let changes = names.sorted { $0.key < $1.key }.map {
            NameChange(name: $0.key, content: $0.value, strategy: strategy, isStale: isStale)
        }
        try responder.publish(ZoneUpdate(serial: serial, changes: changes))
    }

    /// The reply to these octets, whatever they are.
    func reply(to octets: [UInt8], overTCP: Bool = false) -> [UInt8]? {
        responder.respond(to: octets.rawSpan, overTCP: overTCP) { $0.array }
    }

    /// The reply to a query. It throws if there is none, or if ldns can't read it.
    func ask(_ query: TestQuery, overTCP: Bool = false) throws -> TestReply {
        guard let octets = reply(to: try query.octets, overTCP: overTCP) else {
            throw TestFailure("no reply to \(query)")
        }
        return try TestReply(octets)
    }

    /// Asks for a name in the zone, given by its labels above the origin. "" is the apex.
    func ask(_ label: String, _ type: RecordType = .a, overTCP: Bool = false) throws -> TestReply {
        try ask(TestQuery(label.isEmpty ? Self.origin : "\(label).\(Self.origin)", type), overTCP: overTCP)
    }
}

/// A reply, and what ldns reads in it.
@dynamicMemberLookup
struct TestReply {
    let octets: [UInt8]
    let message: LdnsMessage

    init(_ octets: [UInt8]) throws {
        guard let message = LdnsMessage(octets) else { throw TestFailure("ldns does not read \(octets)") }
        self.octets = octets
        self.message = message
    }

    subscript<Value>(dynamicMember path: KeyPath<LdnsMessage, Value>) -> Value { message[keyPath: path] }

    /// The addresses in ANSWER, in order.
    var addresses: [IPAddress] { message.answers.compactMap { IPAddress(octets: $0.data) } }

    /// The SRV records in ANSWER, in order.
    var services: [TestService] { message.answers.compactMap(TestService.init) }

    /// The kind of answer.
    var outcome: Outcome {
        switch message.responseCode {
        case 0 where !message.answers.isEmpty: .records
        case 0: .noData
        case 1: .formatError
        case 2: .serverFailure
        case 3: .nameError
        case 4: .notImplemented
        case 5: .refused
        default: .other
        }
    }

    enum Outcome {
        case records, noData, nameError, serverFailure, refused, formatError, notImplemented, other
    }
}

/// The data of an SRV record.
struct TestService: Hashable {
    var priority: UInt16
    var weight: UInt16
    var port: UInt16
    /// The target in wire form.
    var target: [UInt8]

    init?(_ record: LdnsRecord) {
        guard record.type == RecordType.srv.rawValue, record.data.count > 6 else { return nil }
        let numbers = (0..<3).map { UInt16(record.data[2 * $0]) << 8 | UInt16(record.data[2 * $0 + 1]) }
        (priority, weight, port) = (numbers[0], numbers[1], numbers[2])
        target = [UInt8](record.data.dropFirst(6))
    }
}

extension IPAddress {
    /// An address of 4 or 16 octets.
    init?(octets: [UInt8]) {
        switch octets.count {
        case 4: self = .v4(octets.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self = .v6(
                octets[..<8].reduce(0) { $0 << 8 | UInt64($1) }, octets[8...].reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// `10.0.0.<number>`, continuing beyond 255.
    static func ten(_ number: Int) -> IPAddress { .v4(0x0A00_0000 + UInt32(number)) }

    /// `fd00::<number>`.
    static func unique(_ number: Int) -> IPAddress { .v6(0xFD00 << 48, UInt64(number)) }
}

extension RRset {
    /// `count` A records from 10.0.0.0 on. All have weight 1 unless weights are given.
    static func a(_ count: Int, ttl: UInt32 = 5, weights: [UInt32] = []) -> RRset {
        RRset(
            type: .a, ttl: ttl,
            records: (0..<count).map { Record(.address(.ten($0)), weight: weights.isEmpty ? 1 : weights[$0]) })
    }

    /// `count` AAAA records from fd00:: on.
    static func aaaa(_ count: Int, ttl: UInt32 = 5) -> RRset {
        RRset(type: .aaaa, ttl: ttl, records: (0..<count).map { Record(.address(.unique($0))) })
    }

    /// An SRV record for each target, on ports 1, 2 and so on.
    static func srv(_ targets: [IPAddress], ttl: UInt32 = 5) -> RRset {
        RRset(
            type: .srv, ttl: ttl,
            records: targets.enumerated().map {
                Record(.service(priority: 1, weight: 2, port: UInt16($0.offset + 1), target: $0.element))
            })
    }
}

extension RRsetChange {
    /// All records of `set` as a change, so that they are kept as a list.
    static func whole(_ set: RRset) -> RRsetChange {
        RRsetChange(
            type: set.type, ttl: set.ttl, isWhole: true,
            records: set.records.enumerated().map { RecordChange(sequence: UInt64($0.offset), record: $0.element) })
    }
}

extension EngineConfiguration {
    static func test(
        strategy: RotationStrategyName = .roundRobin, origin: String = TestServer.origin, udpPayload: Int = 1232,
        version: String = ""
    ) -> EngineConfiguration {
        EngineConfiguration(
            listen: [], workers: 1, udpPayload: udpPayload, strategy: strategy,
            zone: ZoneConfiguration(
                origin: origin, ttl: 60, negativeTTL: 3,
                nameServerAddresses: [.v4(0x7F00_0001), .v6(0, 1), .v4(0x7F00_0001)]),
            version: version)
    }
}
