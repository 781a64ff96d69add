import Engine

/// Values for an instance whose registration leaves them out.
struct InstanceDefaults: Sendable, Equatable {
    /// `heartbeat.timeout` in seconds.
    var ttlSeconds = 30
    /// `dns.ttl` in seconds.
    var dnsTTL: UInt32 = 5
}

/// Turns request bodies into commands for the registry.
struct RegistrationDecoder: Sendable {
    /// Defaults for fields that are not given.
    var defaults = InstanceDefaults()

    /// Fields for which `null` means the same as leaving them out: clients send it for a list or a pointer that they
    /// have not set.
    private static let fields: Set<String> = [
        "id", "name", "ip", "port", "protocol", "tags", "metadata", "weight", "priority", "ttl", "dns_ttl", "checks",
    ]

    private static let changeableFields: Set<String> = ["weight", "priority", "tags", "metadata", "draining"]

    /// The largest `ttl`, in seconds.
    private static let maximumTTL = Int(Int32.max)

    /// Which addresses clients may register.
    var addresses = RegistrableAddresses()

    /// The sender of what is decoded.
    enum Source: Sendable {
        /// This server, earlier: what it accepted then stays valid.
        case store
        /// A client, with its address.
        case from(IPAddress?)
    }

    /// The body of a registration.
    func registration(_ value: JSONValue, _ source: Source = .store) throws(InvalidFields) -> Registration {
        guard case .object(let members) = value else {
            throw InvalidFields(errors: [FieldError(field: "", message: "must be an object, not \(value.kind)")])
        }
        var errors: [FieldError] = []
        var id: String?
        var name: String?
        var address: IPAddress?
        var port: UInt16?
        var transport: TransportProtocol?
        var tags: [String]?
        var metadata: [MetadataEntry]?
        var weight: UInt16?
        var priority: UInt16?
        var ttl: Int?
        var dnsTTL: UInt32?
        var checks: [Check]?
        for member in members {
            let value = member.value
            if value.isNull, Self.fields.contains(member.name) { continue }
            switch member.name {
            case "id": id = InstanceFields.id(value, &errors)
            case "name": name = InstanceFields.name(value, &errors)
            case "ip": address = InstanceFields.address(value, AddressRule(source, addresses), &errors)
            case "port": port = InstanceFields.integer(value, "port", 1...65535, &errors)
            case "protocol": transport = InstanceFields.transport(value, &errors)
            case "tags": tags = InstanceFields.tags(value, &errors)
            case "metadata": metadata = InstanceFields.metadata(value, &errors)
            case "weight": weight = InstanceFields.integer(value, "weight", 0...65535, &errors)
            case "priority": priority = InstanceFields.integer(value, "priority", 0...65535, &errors)
            case "ttl": ttl = InstanceFields.integer(value, "ttl", 0...Self.maximumTTL, &errors)
            case "dns_ttl": dnsTTL = InstanceFields.integer(value, "dns_ttl", 1...86_400, &errors)
            case "checks": checks = InstanceFields.checks(value, &errors)
            default:
                if InstanceFields.readOnly.contains(member.name) { continue }
                errors.note(FieldError(field: member.name, message: "unknown field"))
            }
        }
        for field in ["name", "ip", "port"] where !members.contains(where: { $0.name == field && !$0.value.isNull }) {
            errors.note(FieldError(field: field, message: "is required"))
        }
        guard errors.isEmpty, let name, let address, let port else { throw InvalidFields(errors: errors) }
        let effectiveTransport = transport ?? .tcp
        return Registration(
            id: id
                ?? InstanceIdentifier.make(name: name, address: address, port: port, transport: effectiveTransport),
            hasDerivedID: id == nil,
            name: name,
            address: address,
            port: port,
            transport: effectiveTransport,
            tags: tags ?? [],
            metadata: metadata ?? [],
            weight: weight ?? 100,
            priority: priority ?? 0,
            ttlSeconds: ttl ?? defaults.ttlSeconds,
            dnsTTL: dnsTTL ?? defaults.dnsTTL,
            hasDefaultDNSTTL: dnsTTL == nil,
            checks: checks ?? []
        )
    }

    /// The body of a patch.
    func patch(_ value: JSONValue) throws(InvalidFields) -> InstancePatch {
        guard case .object(let members) = value else {
            throw InvalidFields(errors: [FieldError(field: "", message: "must be an object, not \(value.kind)")])
        }
        var errors: [FieldError] = []
        var patch = InstancePatch()
        for member in members {
            let value = member.value
            if value.isNull, Self.changeableFields.contains(member.name) { continue }
            switch member.name {
            case "weight": patch.weight = InstanceFields.integer(value, "weight", 0...65535, &errors)
            case "priority": patch.priority = InstanceFields.integer(value, "priority", 0...65535, &errors)
            case "tags": patch.tags = InstanceFields.tags(value, &errors)
            case "metadata": patch.metadata = InstanceFields.metadata(value, &errors)
            case "draining": patch.isDraining = InstanceFields.draining(value, &errors)
            default: errors.note(FieldError(field: member.name, message: "can't be changed"))
            }
        }
        if !errors.isEmpty { throw InvalidFields(errors: errors) }
        return patch
    }
}
