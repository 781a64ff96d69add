import Engine

/// The rules of a policy's fields, from JSON.
enum PolicyFields {
    /// Its fields, which may all be left out, or `null`.
    static let names = [
        "strategy", "on_empty", "empty_grace", "priorities", "protect_threshold", "dns_ttl", "max_weight",
        "min_priority",
    ]
    private static let graceRange = Duration.zero...Duration.seconds(3600)
    private static let ttlRange: ClosedRange<UInt32> = 1...86_400

    /// The body of a policy.
    ///
    /// - Throws: what is wrong with each field.
    static func policy(_ value: JSONValue) throws(InvalidFields) -> ServicePolicy {
        guard case .object(let members) = value else {
            throw InvalidFields(errors: [FieldError(field: "", message: "must be an object, not \(value.kind)")])
        }
        var errors: [FieldError] = []
        var policy = ServicePolicy()
        for member in members {
            let value = member.value
            if value.isNull, names.contains(member.name) { continue }
            switch member.name {
            case "strategy": policy.strategy = choice(value, "strategy", &errors)
            case "on_empty": policy.onEmpty = choice(value, "on_empty", &errors)
            case "empty_grace": policy.emptyGrace = duration(value, "empty_grace", graceRange, &errors)
            case "priorities": policy.priorities = choice(value, "priorities", &errors)
            case "protect_threshold": policy.protectThreshold = share(value, "protect_threshold", &errors)
            case "dns_ttl": policy.dnsTTL = seconds(value, "dns_ttl", &errors)
            case "max_weight":
                policy.bounds.maximumWeight = InstanceFields.integer(value, "max_weight", 0...65535, &errors)
            case "min_priority":
                policy.bounds.minimumPriority = InstanceFields.integer(value, "min_priority", 0...65535, &errors)
            default: errors.note(FieldError(field: member.name, message: "unknown field"))
            }
        }
        if !errors.isEmpty { throw InvalidFields(errors: errors) }
        return policy
    }

    /// The name of a service, in lower case.
    static func name(_ text: String) throws(InvalidFields) -> String {
        var errors: [FieldError] = []
        guard let name = InstanceFields.name(.string(text), &errors) else { throw InvalidFields(errors: errors) }
        return name
    }

    private static func choice<Value: CaseIterable & RawRepresentable>(
        _ value: JSONValue, _ field: String, _ errors: inout [FieldError]
    ) -> Value? where Value.RawValue == String {
        if case .string(let text) = value, let choice = Value(rawValue: text) { return choice }
        let all = Value.allCases.map { "'\($0.rawValue)'" }
        let alternatives = all.dropLast().joined(separator: ", ") + " or " + (all.last ?? "")
        errors.note(FieldError(field: field, message: "must be \(alternatives)"))
        return nil
    }

    /// A duration as in the configuration, or a number of seconds.
    private static func duration(
        _ value: JSONValue, _ field: String, _ range: ClosedRange<Duration>, _ errors: inout [FieldError]
    ) -> Duration? {
        let duration: Duration? =
            switch value {
            case .string(let text): Duration(configurationText: text)
            case .integer(let seconds): .seconds(min(max(seconds, -1), Int(Int32.max)))
            default: nil
            }
        if let duration, range.contains(duration) { return duration }
        let bounds = "\(range.lowerBound.configurationText) to \(range.upperBound.configurationText)"
        errors.note(
            FieldError(field: field, message: "must be a duration from \(bounds), such as '500ms', '10s' or '2m'"))
        return nil
    }

    /// A share with at most six decimals: what is beyond them is dropped.
    private static func share(_ value: JSONValue, _ field: String, _ errors: inout [FieldError]) -> Double? {
        let number: Double? =
            switch value {
            case .integer(let number): Double(number)
            case .number(let number): number
            default: nil
            }
        if let number, (0...1).contains(number) { return (number * 1_000_000).rounded(.down) / 1_000_000 }
        errors.note(FieldError(field: field, message: "must be a number from 0 to 1"))
        return nil
    }

    /// Seconds, as a number or as a duration.
    private static func seconds(_ value: JSONValue, _ field: String, _ errors: inout [FieldError]) -> UInt32? {
        guard case .string(let text) = value else { return InstanceFields.integer(value, field, ttlRange, &errors) }
        if let duration = Duration(configurationText: text), duration.components.attoseconds == 0,
            let seconds = UInt32(exactly: duration.components.seconds), ttlRange.contains(seconds)
        {
            return seconds
        }
        errors.note(FieldError(field: field, message: "must be from 1 to 86400 whole seconds"))
        return nil
    }
}

extension JSONWriter {
    /// A policy: the fields that it sets.
    mutating func policy(_ policy: ServicePolicy) {
        beginObject()
        policyMembers(policy)
        endObject()
    }

    /// The fields that a policy sets, as members of the object being written.
    fileprivate mutating func policyMembers(_ policy: ServicePolicy) {
        let texts = [
            ("strategy", policy.strategy?.rawValue), ("on_empty", policy.onEmpty?.rawValue),
            ("empty_grace", policy.emptyGrace?.configurationText), ("priorities", policy.priorities?.rawValue),
        ]
        for case (let name, let text?) in texts {
            member(name)
            string(text)
        }
        if let share = policy.protectThreshold {
            member("protect_threshold")
            decimal(share, places: 6)
        }
        if let seconds = policy.dnsTTL {
            member("dns_ttl")
            integer(seconds)
        }
        for case (let name, let bound?) in [
            ("max_weight", policy.bounds.maximumWeight), ("min_priority", policy.bounds.minimumPriority),
        ] {
            member(name)
            integer(bound)
        }
    }
}

/// The text form of a policy in a store: JSON with the API's names, and that of the service.
enum StoredPolicy {
    /// The longest text of a policy.
    static let maximumOctets = 4096

    /// The text of a policy.
    static func encode(_ named: NamedPolicy) -> [UInt8] {
        var writer = JSONWriter(capacity: 192)
        writer.beginObject()
        writer.member("name")
        writer.string(named.name)
        writer.policyMembers(named.policy)
        writer.endObject()
        return writer.octets
    }

    /// The policy in a text; members that this version does not know are ignored.
    ///
    /// - Throws: what is wrong with it.
    static func decode(_ octets: [UInt8]) throws(InvalidFields) -> NamedPolicy {
        guard octets.count <= maximumOctets else { throw malformed("more than \(maximumOctets) octets") }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONParser.parse(octets)
        } catch {
            throw malformed("not JSON: \(error.problem)")
        }
        return try read(json)
    }

    /// The policy in JSON that ``encode(_:)`` has written.
    static func read(_ json: JSONValue) throws(InvalidFields) -> NamedPolicy {
        guard case .object(let members) = json else { throw malformed("not an object") }
        var name: String?
        if case .string(let text)? = members.first(where: { $0.name == "name" })?.value {
            name = try PolicyFields.name(text)
            if name != text { name = nil }
        }
        guard let name else { throw malformed("name is missing or no such") }
        let fields = members.filter { PolicyFields.names.contains($0.name) }
        return NamedPolicy(name: name, policy: try PolicyFields.policy(.object(fields)))
    }

    private static func malformed(_ reason: String) -> InvalidFields {
        InvalidFields(errors: [FieldError(field: "", message: reason)])
    }
}
