import Crypto
import Engine

/// Makes the id of an instance that was registered without one.
enum InstanceIdentifier {
    /// This project's namespace for name-based UUIDs: a random UUID that never changes.
    private static let namespace: [UInt8] = [
        0x5B, 0x0F, 0x2C, 0x63, 0x9D, 0x41, 0x4E, 0x7A, 0xA1, 0x36, 0xC8, 0x54, 0x0E, 0x97, 0xD2, 0xBF,
    ]

    /// A name-based UUID (version 5, RFC 9562 §5.5) over the four values that identify an endpoint. They give the same
    /// id on every node, so that nodes that register it at the same time make one instance.
    static func make(name: String, address: IPAddress, port: UInt16, transport: TransportProtocol) -> String {
        var input = namespace
        input.reserveCapacity(namespace.count + name.utf8.count + 32)
        input.append(contentsOf: name.utf8)
        input.append(UInt8(ascii: "|"))
        input.append(contentsOf: address.octets)
        input.append(UInt8(ascii: "|"))
        input.append(UInt8(port >> 8))
        input.append(UInt8(port & 0xFF))
        input.append(contentsOf: transport.rawValue.utf8)
        // SHA-1 because version 5 requires it; nothing here relies on its collision resistance.
        var octets = Array(Insecure.SHA1.hash(data: input).prefix(16))
        octets[6] = octets[6] & 0x0F | 0x50
        return text(of: octets)
    }

    /// A random UUID (version 4, RFC 9562 §5.4), for an instance whose name-based id belongs to another one.
    static func random() -> String {
        var octets = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        octets[6] = octets[6] & 0x0F | 0x40
        return text(of: octets)
    }

    /// The UUID of 16 octets, with the variant of RFC 9562 §4.1.
    private static func text(of octets: [UInt8]) -> String {
        var octets = octets
        octets[8] = octets[8] & 0x3F | 0x80
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (index, octet) in octets.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(octet >> 4)])
            text.append(digits[Int(octet & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The values that identify an instance that was registered without an id.
protocol InstanceEndpoint {
    var name: String { get }
    var address: IPAddress { get }
    var port: UInt16 { get }
    var transport: TransportProtocol { get }
}

extension InstanceEndpoint {
    /// The id derived from its name, address, port and protocol, whatever its id is.
    var derivedID: String {
        InstanceIdentifier.make(name: name, address: address, port: port, transport: transport)
    }

    /// Whether it has the same name, address, port and protocol as `other`.
    func isSameEndpoint(as other: some InstanceEndpoint) -> Bool {
        name == other.name && address == other.address && port == other.port && transport == other.transport
    }
}

extension ServiceInstance: InstanceEndpoint {
    /// The origin of its id as far as the instance itself tells: earlier versions stored nothing else.
    var presumedOrigin: IdentifierOrigin { id == derivedID ? .derived : .given }
}

extension Registration: InstanceEndpoint {}
