/// Who may have names outside the zones.
struct OutsideAccess: Sendable {
    /// Whether there is an upstream: else names outside are refused.
    let isOn: Bool
    /// Keeps alive what the view shows.
    private let access: AccessList
    private let view: AccessList.View

    /// - Parameters:
    ///   - access: who may have them.
    ///   - isOn: whether there is an upstream.
    init(_ access: AccessList, isOn: Bool) {
        self.isOn = isOn
        self.access = access
        view = access.view
    }

    /// Whether a client may have names outside: it is one of those, and there is an upstream.
    @inline(__always)
    func allows(_ client: IPAddress?) -> Bool { isOn && trusts(client) }

    /// Whether a client is one of those that may have names outside, whether or not there is an upstream.
    @inline(__always)
    func trusts(_ client: IPAddress?) -> Bool {
        guard let client else { return false }
        return view.contains(client)
    }
}
