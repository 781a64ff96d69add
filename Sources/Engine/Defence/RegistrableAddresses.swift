/// The addresses that services may have. Looking up allocates nothing and counts no reference.
public struct RegistrableAddresses: Sendable {
    /// Keeps alive what the view shows.
    private let networks: AccessList
    private let view: AccessList.View
    private let isAnywhere: Bool

    /// Addresses without an ``AddressRestriction``.
    ///
    /// - Parameter networks: where they must be; empty: anywhere.
    public init(within networks: [IPNetwork] = []) {
        self.networks = AccessList(networks)
        view = self.networks.view
        isAnywhere = networks.isEmpty
    }

    /// Whether an address is in one of the networks.
    public func isInNetworks(_ address: IPAddress) -> Bool {
        isAnywhere || view.contains(address)
    }

    /// Whether a client may register an address, and resolve its name.
    ///
    /// - Parameter client: who asks; loopback addresses are for those on loopback.
    public func contains(_ address: IPAddress, client: () -> IPAddress?) -> Bool {
        guard address.restriction == nil, isInNetworks(address) else { return false }
        return !address.isLoopback || client()?.unmapped.isLoopback == true
    }
}
