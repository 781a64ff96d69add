import Engine

/// The text form of an instance in a store, and in a backup: JSON with the API's names.
enum StoredInstance {
    /// The names of the stored members, as in the API.
    private static let registered: Set<String> = [
        "id", "name", "ip", "port", "protocol", "tags", "metadata", "weight", "priority", "ttl", "dns_ttl", "checks",
    ]

    /// The longest text of an instance: 16 KiB of metadata and as much of checks, each octet of which may take six in
    /// JSON, and the rest.
    static let maximumOctets = 256 * 1024

    /// The text of an instance.
    static func encode(_ instance: ServiceInstance) -> [UInt8] { encode(instance, asOf: nil) }

    /// The text of an instance.
    ///
    /// - Parameter asOf: set if the instance is written again without a request: the etcd revision up to which the
    ///   writer knew everything.
    static func encode(_ instance: ServiceInstance, asOf: Int64?) -> [UInt8] {
        var writer = JSONWriter(capacity: 384)
        writer.beginObject()
        writeMembers(of: instance, &writer)
        writer.member("sequence")
        writer.integer(instance.sequence)
        if instance.isHeld {
            writer.member("is_held")
            writer.bool(true)
        }
        if let asOf {
            writer.member("as_of")
            writer.integer(asOf)
        }
        writer.endObject()
        return writer.octets
    }

    /// Writes an instance as an object for another registry: without its place in this one, and without what the brake
    /// on mass expiry does with it.
    static func write(_ instance: ServiceInstance, _ writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(of: instance, &writer)
        writer.endObject()
    }

    private static func writeMembers(of instance: ServiceInstance, _ writer: inout JSONWriter) {
        writer.registeredFields(instance)
        if !instance.checks.isEmpty {
            writer.member("checks")
            writer.checks(instance.checks)
        }
        if !instance.results.isEmpty {
            writer.member("results")
            writer.results(instance.results)
        }
        writer.member("draining")
        writer.bool(instance.isDraining)
        writer.member("id_origin")
        writer.string(instance.idOrigin.rawValue)
        writer.member("registered_at_milliseconds")
        writer.integer(instance.registeredAt.millisecondsSince1970)
        if instance.hasDefaultDNSTTL {
            writer.member("has_default_dns_ttl")
            writer.bool(true)
        }
    }

    /// The instance in a text; members that this version does not know are ignored.
    ///
    /// - Throws: what is wrong with it, in one line.
    static func decode(_ octets: [UInt8]) throws(MalformedInstance) -> ServiceInstance {
        try decodeWithOrigin(octets).instance
    }

    /// The instance in a text, with the `asOf` given to ``encode(_:asOf:)``.
    ///
    /// - Throws: what is wrong with it, in one line.
    static func decodeWithOrigin(
        _ octets: [UInt8]
    ) throws(MalformedInstance) -> (instance: ServiceInstance, asOf: Int64?) {
        guard octets.count <= maximumOctets else {
            throw MalformedInstance(reason: "more than \(maximumOctets) octets")
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONParser.parse(octets)
        } catch {
            throw MalformedInstance(reason: "not JSON: \(error.problem)")
        }
        let (instance, sequence, asOf) = try read(json, RegistrationDecoder(), .store)
        guard let sequence else { throw MalformedInstance(reason: "sequence is missing or no such") }
        var stored = instance
        stored.sequence = sequence
        return (stored, asOf)
    }

    /// Reads an instance that ``write(_:_:)`` has written, by the rules for what a client registers. Its place is 0.
    ///
    /// - Parameter client: who sends it.
    /// - Throws: what is wrong with it, in one line.
    static func read(
        _ json: JSONValue, _ decoder: RegistrationDecoder, from client: IPAddress?
    ) throws(MalformedInstance) -> ServiceInstance {
        var instance = try read(json, decoder, .from(client)).instance
        instance.isHeld = false
        instance.results.removeAll { result in !instance.checks.contains { $0.name == result.name } }
        return instance
    }

    private static func read(
        _ json: JSONValue, _ decoder: RegistrationDecoder, _ source: RegistrationDecoder.Source
    ) throws(MalformedInstance) -> (instance: ServiceInstance, sequence: UInt64?, asOf: Int64?) {
        guard case .object(let members) = json else { throw MalformedInstance(reason: "not an object") }
        var isDraining: Bool?
        var idOrigin: IdentifierOrigin?
        var registeredAt: WallTime?
        var sequence: UInt64?
        var asOf: Int64?
        var results: [CheckRecord] = []
        var hasDefaultDNSTTL = false
        var isHeld = false
        for member in members {
            switch (member.name, member.value) {
            case ("draining", .bool(let value)): isDraining = value
            case ("id_origin", .string(let value)): idOrigin = IdentifierOrigin(rawValue: value)
            case ("registered_at_milliseconds", .integer(let value)):
                registeredAt = WallTime(checking: Int64(value))
            case ("sequence", .integer(let value)): sequence = UInt64(exactly: value)
            case ("results", let value): results = StoredRecords.results(value)
            case ("has_default_dns_ttl", .bool(let value)): hasDefaultDNSTTL = value
            case ("is_held", .bool(let value)): isHeld = value
            case ("as_of", .integer(let value)): asOf = max(0, Int64(value))
            default: continue
            }
        }
        guard let isDraining, let registeredAt else {
            throw MalformedInstance(reason: "draining or registered_at_milliseconds is missing or no such")
        }
        do throws(InvalidFields) {
            let fields = JSONValue.object(members.filter { registered.contains($0.name) })
            let registration = try decoder.registration(fields, source)
            var instance = ServiceInstance(
                registration, id: registration.id, idOrigin: .given, isDraining: isDraining,
                registeredAt: registeredAt, sequence: 0)
            instance.idOrigin = idOrigin ?? instance.presumedOrigin
            instance.results = results
            instance.hasDefaultDNSTTL = hasDefaultDNSTTL
            instance.isHeld = isHeld
            return (instance, sequence, asOf)
        } catch {
            throw MalformedInstance(reason: error.errors.map { "\($0.field) \($0.message)" }.joined(separator: ", "))
        }
    }
}

/// Why a text is no instance.
struct MalformedInstance: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in one line.
    var reason: String

    var description: String { reason }
}
