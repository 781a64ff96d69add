/// The clients that are answered.
struct AllowedClients: Sendable {
    /// Whether any are refused.
    let isOn: Bool
    /// Keeps the view's memory alive.
    private let access: AccessList
    private let view: AccessList.View

    /// - Parameter networks: the clients' networks; empty: everyone.
    init(_ networks: [IPNetwork]) {
        isOn = !networks.isEmpty
        access = AccessList(networks)
        view = access.view
    }

    /// Whether a client is answered.
    func contains(_ client: IPAddress?) -> Bool {
        guard isOn else { return true }
        guard let client else { return false }
        return view.contains(client)
    }
}
