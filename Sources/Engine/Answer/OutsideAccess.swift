/// Which clients may resolve names outside the zones.
struct OutsideAccess: Sendable {
    /// Whether there is an upstream; otherwise names outside are REFUSED.
    let isOn: Bool
    /// Keeps the view's memory alive.
    private let access: AccessList
    private let view: AccessList.View

    /// - Parameters:
    ///   - access: the clients that may resolve them.
    ///   - isOn: whether there is an upstream.
    init(_ access: AccessList, isOn: Bool) {
        self.isOn = isOn
        self.access = access
        view = access.view
    }

    /// Whether names outside are resolved for a client: it may have that, and there is an upstream.
    @inline(__always)
    func allows(_ client: IPAddress?) -> Bool { isOn && trusts(client) }

    /// Whether a client may resolve names outside, regardless of whether there is an upstream.
    @inline(__always)
    func trusts(_ client: IPAddress?) -> Bool {
        guard let client else { return false }
        return view.contains(client)
    }
}
