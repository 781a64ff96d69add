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
    ///
    /// - Parameter origin: as of when it counts in etcd.
    static func encode(_ instance: ServiceInstance, _ origin: StoredOrigin = StoredOrigin()) -> [UInt8] {
        var writer = JSONWriter(capacity: 384)
        writer.beginObject()
        writeMembers(of: instance, &writer)
        writer.member("sequence")
        writer.integer(instance.sequence)
        if instance.isHeld {
            writer.member("is_held")
            writer.bool(true)
        }
        for (name, revision) in [("as_of", origin.asOf), ("rank", origin.rank)] {
            guard let revision else { continue }
            writer.member(name)
            writer.integer(revision)
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

    /// The instance in a text, with the origin given to ``encode(_:_:)``.
    ///
    /// - Throws: what is wrong with it, in one line.
    static func decodeWithOrigin(
        _ octets: [UInt8]
    ) throws(MalformedInstance) -> (instance: ServiceInstance, origin: StoredOrigin) {
        guard octets.count <= maximumOctets else {
            throw MalformedInstance(reason: "more than \(maximumOctets) octets")
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONParser.parse(octets)
        } catch {
            throw MalformedInstance(reason: "not JSON: \(error.problem)")
        }
        let (instance, sequence, origin) = try read(json, RegistrationDecoder(), .store)
        guard let sequence else { throw MalformedInstance(reason: "sequence is missing or no such") }
        var stored = instance
        stored.sequence = sequence
        return (stored, origin)
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
    ) throws(MalformedInstance) -> (instance: ServiceInstance, sequence: UInt64?, origin: StoredOrigin) {
        guard case .object(let members) = json else { throw MalformedInstance(reason: "not an object") }
        var isDraining: Bool?
        var idOrigin: IdentifierOrigin?
        var registeredAt: WallTime?
        var sequence: UInt64?
        var origin = StoredOrigin()
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
            case ("as_of", .integer(let value)): origin.asOf = max(0, Int64(value))
            case ("rank", .integer(let value)): origin.rank = max(0, Int64(value))
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
            return (instance, sequence, origin)
        } catch {
            throw MalformedInstance(reason: error.errors.map { "\($0.field) \($0.message)" }.joined(separator: ", "))
        }
    }
}

/// The etcd revisions as of which a stored instance counts, where that is not the revision at which it was written.
struct StoredOrigin: Sendable, Equatable {
    /// Set if the instance was written again without a request, and kept until a change of it is requested: the
    /// revision up to which the writer knew everything.
    var asOf: Int64?
    /// Set if only results of checks have changed since a client did: the rank of the value before. A result does not
    /// make an instance newer than a registration under another name, or than a deregistration of that one.
    var rank: Int64?

    /// The revision up to which the writer of a value knew everything.
    ///
    /// - Parameter revision: at which the value was written.
    func knownUpTo(_ revision: Int64) -> Int64 { min(revision, asOf ?? revision) }

    /// The revision by which a value is compared with one under another key of the same instance.
    ///
    /// - Parameter revision: at which the value was written.
    func rank(at revision: Int64) -> Int64 { min(revision, rank ?? asOf ?? revision) }
}

/// Why a text is no instance.
struct MalformedInstance: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in one line.
    var reason: String

    var description: String { reason }
}
