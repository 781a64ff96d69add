/// A certificate's subject as text (RFC 4514), octet for octet as `openssl x509 -noout -subject -nameopt RFC2253`
/// prints it, so that it can be copied from there. It is ASCII without control characters: other octets are escaped.
enum CertificateSubject {
    /// The most characters of a subject that stands for a token.
    static let maximumLength = 512

    private static let sequence: UInt8 = 0x30
    private static let set: UInt8 = 0x31
    private static let objectIdentifier: UInt8 = 0x06

    /// The subject of a certificate.
    ///
    /// - Parameter der: the certificate.
    /// - Returns: `nil` if the subject is empty or longer than ``maximumLength``: it stands for nobody then.
    static func text(ofCertificate der: [UInt8]) -> String? {
        // RFC 5280 §4.1: version, serial number, signature, issuer, validity, subject.
        var outer = DERReader(der[...])
        guard var certificate = outer.next(sequence).map({ DERReader($0) }),
            var fields = certificate.next(sequence).map({ DERReader($0) }), var first = fields.next()
        else { return nil }
        if first.tag == 0xA0 {
            guard let serialNumber = fields.next() else { return nil }
            first = serialNumber
        }
        guard fields.next(sequence) != nil, fields.next(sequence) != nil, fields.next(sequence) != nil,
            let subject = fields.next(sequence), let text = text(ofName: subject),
            (1...maximumLength).contains(text.utf8.count)
        else { return nil }
        return text
    }

    /// The attributes of a name in reverse order: the most special one comes first.
    private static func text(ofName name: ArraySlice<UInt8>) -> String? {
        var text = ""
        var names = DERReader(name)
        while let part = names.next() {
            guard part.tag == set else { return nil }
            var attributes = DERReader(part.content)
            var isFirst = true
            while let attribute = attributes.next() {
                var reader = DERReader(attribute.content)
                guard attribute.tag == sequence, let type = reader.next(objectIdentifier), let value = reader.next()
                else { return nil }
                let separator = text.isEmpty ? "" : isFirst ? "," : "+"
                text = Self.text(type, value) + separator + text
                isFirst = false
                if text.utf8.count > maximumLength { return nil }
            }
        }
        return text
    }

    /// `CN=orders`; `1.2.3=#0C0161` if the type has no short name, or the value is no text.
    private static func text(_ type: ArraySlice<UInt8>, _ value: DERReader.Value) -> String {
        let dotted = dotted(type)
        let dump = "#" + value.whole.map(hexadecimal).joined()
        guard let name = shortNames[dotted] else { return "\(dotted)=\(dump)" }
        return "\(name)=\(characters(value).map(escaped) ?? dump)"
    }

    private static let shortNames = [
        "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
        "2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.42": "GN",
        "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
    ]

    /// X.690 §8.19.
    private static func dotted(_ type: ArraySlice<UInt8>) -> String {
        var numbers: [UInt64] = []
        var number: UInt64 = 0
        for octet in type {
            // A number that is too large for this names nothing that is known.
            number = number << 7 | UInt64(octet & 0x7F)
            if octet & 0x80 != 0 { continue }
            if numbers.isEmpty {
                let first = min(number / 40, 2)
                numbers = [first, number - first * 40]
            } else {
                numbers.append(number)
            }
            number = 0
        }
        return numbers.map(String.init).joined(separator: ".")
    }

    /// The text of a string type; `nil` for other types, and for octets that are no text of their type.
    private static func characters(_ value: DERReader.Value) -> String? {
        switch value.tag {
        case 0x0C: String(validating: value.content, as: UTF8.self)
        // Numeric, printable, IA5 and visible strings, and T61 strings, which everybody takes for Latin-1.
        case 0x12, 0x13, 0x14, 0x16, 0x1A: String(String.UnicodeScalarView(value.content.map { Unicode.Scalar($0) }))
        // A BMP string has two octets for each character.
        case 0x1E where value.content.count % 2 == 0:
            String(validating: units(value.content, octets: 2).map { UInt16($0) }, as: UTF16.self)
        case 0x1C where value.content.count % 4 == 0:
            String(validating: units(value.content, octets: 4), as: UTF32.self)
        default: nil
        }
    }

    private static func units(_ octets: ArraySlice<UInt8>, octets count: Int) -> [UInt32] {
        stride(from: octets.startIndex, to: octets.endIndex, by: count).map { start in
            octets[start..<start + count].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    /// RFC 4514 §2.4.
    private static func escaped(_ text: String) -> String {
        var result = ""
        let octets = Array(text.utf8)
        for (place, octet) in octets.enumerated() {
            let isEdge = place == 0 || place == octets.count - 1
            switch octet {
            case UInt8(ascii: ","), UInt8(ascii: "+"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"),
                UInt8(ascii: ">"), UInt8(ascii: ";"):
                result += "\\" + String(Unicode.Scalar(octet))
            case UInt8(ascii: " ") where isEdge: result += "\\ "
            case UInt8(ascii: "#") where place == 0: result += "\\#"
            case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(octet))
            default: result += "\\" + hexadecimal(octet)
            }
        }
        return result
    }

    private static func hexadecimal(_ octet: UInt8) -> String {
        (octet < 16 ? "0" : "") + String(octet, radix: 16, uppercase: true)
    }
}
