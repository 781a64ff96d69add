import Engine

/// The rule that says which addresses a registration may have.
enum AddressRule: Sendable {
    /// For stored instances: they stay valid when the rules become stricter.
    case stored
    /// For what a client registers now.
    case client(IPAddress?, RegistrableAddresses)

    /// The rule for what `source` sends.
    init(_ source: RegistrationDecoder.Source, _ addresses: RegistrableAddresses) {
        self =
            switch source {
            case .store: .stored
            case .from(let client): .client(client, addresses)
            }
    }

    /// Why an address can't be registered, or `nil` if it can.
    func problem(with address: IPAddress) -> String? {
        switch self {
        case .stored:
            let isAddress = !address.isUnspecified && !address.isMulticast && !address.isIPv4Mapped
            return isAddress ? nil : "must not be an unspecified, multicast or IPv4-mapped address"
        case .client(let client, let addresses):
            if address.isUnspecified { return "must not be the unspecified address" }
            if let restriction = address.restriction { return Self.message(restriction) }
            if !addresses.isInNetworks(address) { return "must be in one of the networks of registry.networks" }
            guard addresses.contains(address, client: { client }) else {
                return "must not be a loopback address unless it is sent from one"
            }
            return nil
        }
    }

    private static func message(_ restriction: AddressRestriction) -> String {
        switch restriction {
        case .thisNetwork: "must not be in 0.0.0.0/8"
        case .linkLocal: "must not be a link-local address"
        case .multicast: "must not be a multicast address"
        case .reserved: "must not be in 240.0.0.0/4"
        case .embedded: "must not be an IPv4-mapped or IPv4-compatible IPv6 address"
        case .translated: "must not stand for an IPv4 address that can't be registered"
        }
    }
}
