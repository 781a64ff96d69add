import Engine

/// A name as DNS understands it.
struct ExplainedName: Sendable, Equatable {
    /// What a name is.
    enum Kind: String, Sendable {
        /// The origin of the services' zone, or a name of the server in it.
        case domain
        /// A service, or those of its instances that have a tag or speak a protocol.
        case service, tag
        case transport = "protocol"
        /// A name below `addr`, which stands for the address in it.
        case address
        /// A name in the zone that can belong to no service.
        case unknown
        /// A name outside the zone.
        case outside
    }

    var kind: Kind
    /// The service, for names of services.
    var service: String?
    /// The part of the service.
    var part = ServicePart.whole
    /// The labels above the zone's origin, with dots between them; empty for names outside.
    var relative = ""

    /// - Parameters:
    ///   - name: in wire form and lower case.
    ///   - origin: of the services' zone, likewise.
    init(_ name: [UInt8], origin: [UInt8]) {
        guard let labels = Self.labels(of: name, above: origin) else {
            kind = .outside
            return
        }
        relative = labels.joined(separator: ".")
        switch labels.count {
        case 0: kind = .domain
        case 1 where labels[0] == "ns": kind = .domain
        case 1 where labels[0] == "addr": kind = .address
        case 1:
            kind = .service
            service = labels[0]
        case 2 where labels[1] == "addr": kind = .address
        case 2 where labels[1].hasPrefix("_"):
            kind = .unknown
            guard labels[0].hasPrefix("_"), let transport = TransportProtocol(rawValue: String(labels[1].dropFirst()))
            else { return }
            kind = .transport
            service = String(labels[0].dropFirst())
            part = .transport(transport)
        case 2:
            kind = .tag
            service = labels[1]
            part = .tag(labels[0])
        default: kind = .unknown
        }
    }

    /// The labels above an origin; `nil`: the name is not in the zone.
    private static func labels(of name: [UInt8], above origin: [UInt8]) -> [String]? {
        var labels: [String] = []
        var rest = name[...]
        while rest.count > origin.count, let length = rest.first, length > 0, rest.count > Int(length) {
            labels.append(String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(1 + Int(length))
        }
        return rest.elementsEqual(origin) ? labels : nil
    }
}
