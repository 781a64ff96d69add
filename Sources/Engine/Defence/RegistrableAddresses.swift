/// The addresses that services may have. A lookup allocates nothing and counts no reference.
public struct RegistrableAddresses: Sendable {
    /// Keeps the memory of the view alive.
    private let networks: AccessList
    private let view: AccessList.View
    private let isAnywhere: Bool

    /// Addresses without an ``AddressRestriction``.
    ///
    /// - Parameter networks: the networks that they must be in; empty: any.
    public init(within networks: [IPNetwork] = []) {
        self.networks = AccessList(networks)
        view = self.networks.view
        isAnywhere = networks.isEmpty
    }

    /// Whether an address is in one of the networks.
    public func isInNetworks(_ address: IPAddress) -> Bool {
        isAnywhere || view.contains(address)
    }

    /// Whether a client may register an address and resolve its name.
    ///
    /// - Parameter client: the address of the client; loopback addresses are only for clients on loopback.
    public func contains(_ address: IPAddress, client: () -> IPAddress?) -> Bool {
        guard address.restriction == nil, isInNetworks(address) else { return false }
        return !address.isLoopback || client()?.unmapped.isLoopback == true
    }
}
