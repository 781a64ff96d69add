/// Clients that get long answers over UDP although they send no EDNS: nothing on the way to them drops fragments, and
/// nobody can send in their name.
struct LargeUDP: Sendable {
    /// The longest answer to such a client in octets: 512–4096.
    let payload: Int
    /// Whether there are any such clients.
    let isOn: Bool
    /// Keeps the view's memory alive.
    private let access: AccessList
    private let view: AccessList.View

    /// - Parameters:
    ///   - networks: the networks of the clients.
    ///   - payload: the longest answer in octets.
    init(networks: [IPNetwork], payload: Int) {
        self.payload = payload
        isOn = !networks.isEmpty
        access = AccessList(networks)
        view = access.view
    }

    /// Whether a client is one of these.
    func contains(_ client: IPAddress?) -> Bool {
        guard let client else { return false }
        return view.contains(client)
    }
}
