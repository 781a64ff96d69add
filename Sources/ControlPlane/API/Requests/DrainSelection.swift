import Engine

/// The instances that a request drains: those of a host, or of a service.
enum DrainSelection: Sendable, Equatable {
    case address(IPAddress)
    case service(String, tag: String?)

    /// Reads the body of `POST /api/v1/services/drain` and `/undrain`.
    init(_ value: JSONValue) throws(InvalidFields) {
        guard case .object(let members) = value else {
            throw InvalidFields(errors: [FieldError(field: "", message: "must be an object, not \(value.kind)")])
        }
        var errors: [FieldError] = []
        var address: IPAddress?
        var name: String?
        var tag: String?
        for member in members where !member.value.isNull {
            switch (member.name, member.value) {
            case ("ip", .string(let text)):
                address = IPAddress(text)
                if address == nil { errors.note(FieldError(field: "ip", message: "must be an IPv4 or IPv6 address")) }
            case ("name", .string(let text)): name = Self.label(text, "name", &errors)
            case ("tag", .string(let text)): tag = Self.label(text, "tag", &errors)
            case ("ip", let value), ("name", let value), ("tag", let value):
                errors.note(FieldError(field: member.name, message: "must be a string, not \(value.kind)"))
            default: errors.note(FieldError(field: member.name, message: "unknown field"))
            }
        }
        if errors.isEmpty {
            switch (address, name, tag) {
            case (let address?, nil, nil):
                self = .address(address)
                return
            case (nil, let name?, let tag):
                self = .service(name, tag: tag)
                return
            default:
                let message = "must have an ip, or a name and perhaps a tag"
                errors.note(FieldError(field: "", message: message))
            }
        }
        throw InvalidFields(errors: errors)
    }

    private static func label(_ text: String, _ field: String, _ errors: inout [FieldError]) -> String? {
        if let label = InstanceFields.label(text) { return label }
        errors.note(FieldError(field: field, message: "must be a DNS label"))
        return nil
    }

    /// The service; `nil`: any.
    var service: String? {
        switch self {
        case .address: nil
        case .service(let name, _): name
        }
    }

    /// Whether it selects an instance.
    func includes(_ instance: ServiceInstance) -> Bool {
        switch self {
        case .address(let address): instance.address == address
        case .service(let name, let tag): instance.name == name && tag.map { instance.tags.contains($0) } ?? true
        }
    }

    /// The commands that drain its instances, or put them back into DNS: one for each that has to change.
    ///
    /// - Returns: why somebody may not do that, if one of these instances is not theirs to change.
    func changes(
        _ registry: Registry, isDraining: Bool, by requester: Requester
    ) -> (commands: [RegistryCommand], denial: Denial?) {
        var commands: [RegistryCommand] = []
        var denial: Denial?
        func add(_ instance: ServiceInstance) {
            guard instance.isDraining != isDraining else { return }
            if denial == nil, !requester.mayChange(instance.name) { denial = .service(instance.name) }
            commands.append(.patch(id: instance.id, InstancePatch(isDraining: isDraining)))
        }
        switch self {
        case .address(let address):
            registry.forEachInstance { if $0.address == address { add($0) } }
        case .service(let name, let tag):
            for registered in registry.instances(ofService: name) {
                if tag.map({ registered.instance.tags.contains($0) }) ?? true { add(registered.instance) }
            }
        }
        return (commands, denial)
    }
}
