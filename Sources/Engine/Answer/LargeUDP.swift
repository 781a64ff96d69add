/// Clients that get long answers over UDP though they send no EDNS, since nothing on the way to them drops fragments
/// and nobody can send in their name.
struct LargeUDP: Sendable {
    /// The longest answer to them in octets: 512–4096.
    let payload: Int
    /// Whether there are any.
    let isOn: Bool
    /// Keeps alive what the view shows.
    private let access: AccessList
    private let view: AccessList.View

    /// - Parameters:
    ///   - networks: where they are.
    ///   - payload: the longest answer in octets.
    init(networks: [IPNetwork], payload: Int) {
        self.payload = payload
        isOn = !networks.isEmpty
        access = AccessList(networks)
        view = access.view
    }

    /// Whether a client is one of them.
    func contains(_ client: IPAddress?) -> Bool {
        guard let client else { return false }
        return view.contains(client)
    }
}
