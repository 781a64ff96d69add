import Engine

/// Which addresses checks may connect to.
///
/// A registration has been through such rules too. But they may have become stricter since, and another node may have
/// others.
struct CheckTargets: Sendable {
    /// `checks.allow`: networks; empty: all that may be registered.
    var allow: [IPNetwork] = []
    /// `registry.networks`.
    var registrable = RegistrableAddresses()

    /// Why checks may not connect to an address, or `nil` if they may.
    func problem(with address: IPAddress) -> String? {
        if address.restriction != nil { return "not run: checks never connect to such an address" }
        if !registrable.isInNetworks(address) { return "not run: the address is in no network of registry.networks" }
        if !allow.isEmpty, !allow.contains(where: { $0.contains(address) }) {
            return "not run: the address is in no network of checks.allow"
        }
        return nil
    }
}
