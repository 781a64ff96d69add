import Engine

/// A host and a port as URIs and the `Host` field have them (RFC 3986 §3.2, RFC 9110 §7.2).
struct Authority: Sendable, Equatable {
    enum Host: Sendable, Equatable {
        /// In lower case, without a trailing dot.
        case name(String)
        case address(IPAddress)
    }

    let host: Host
    /// `nil`: the scheme's default port.
    let port: UInt16?

    /// Reads `name`, `name:8080`, `10.0.0.1:8080` or `[::1]:8080`; `nil` for anything else, including a user.
    init?(_ text: some StringProtocol) {
        let host: Text
        let rest: Text
        let text = Substring(text).utf8
        if text.first == UInt8(ascii: "[") {
            guard let end = text.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard let address = IPAddress(Substring(host)), !address.isIPv4 else { return nil }
            self.host = .address(address)
        } else {
            let end = text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
            host = text[..<end]
            rest = text[end...]
            if let address = IPAddress(Substring(host)) {
                self.host = .address(address)
            } else {
                guard let name = Self.name(Substring(host)) else { return nil }
                self.host = .name(name)
            }
        }
        guard let port = Self.port(rest) else { return nil }
        self.port = port
    }

    /// Octets of a text.
    private typealias Text = Substring.UTF8View

    /// Reads the origin of a web page, `http://name:8080`; `nil` for `null` and anything else.
    init?(origin: String) {
        let schemes: [(prefix: String, port: UInt16)] = [("http://", 80), ("https://", 443)]
        guard let scheme = schemes.first(where: { origin.hasPrefix($0.prefix) }),
            let authority = Authority(origin.dropFirst(scheme.prefix.count))
        else { return nil }
        self = authority
    }

    /// Whether a browser takes both for the same host and port; a default port may be left out.
    func isSame(as other: Authority) -> Bool {
        func named(_ port: UInt16?) -> UInt16? { port == 80 || port == 443 ? nil : port }
        return host == other.host && named(port) == named(other.port)
    }

    /// A name in the form in which names are compared.
    static func name(_ text: Substring) -> String? {
        let name = text.hasSuffix(".") ? text.dropLast() : text
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isName && (1...253).contains(name.utf8.count) ? name.lowercased() : nil
    }

    /// - Returns: the port, `.some(nil)` if it is left out, or `nil` if the text is no port.
    private static func port(_ text: Text) -> UInt16?? {
        guard let colon = text.first else { return .some(nil) }
        let digits = text.dropFirst()
        guard colon == UInt8(ascii: ":"), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        if digits.isEmpty { return .some(nil) }
        return UInt16(Substring(digits)).map { .some($0) }
    }
}
