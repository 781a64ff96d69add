/// The names that this server answers itself. What an upstream says about them is never passed on.
struct OwnNames: Sendable {
    /// The zones' names, in wire form and lower case.
    private let origins: [[UInt8]]

    init(_ origins: [[UInt8]] = []) {
        self.origins = origins
    }

    /// Whether a name, in lower case, is in one of the zones.
    func contains(_ name: [UInt8]) -> Bool { origins.contains { DomainName.isName(name, atOrBelow: $0) } }

    /// Whether one of the zones is at or below a name, in lower case.
    func hasZone(atOrBelow name: [UInt8]) -> Bool { origins.contains { DomainName.isName($0, atOrBelow: name) } }
}
