/// Domain names in wire form (RFC 1035 §3.1).
enum DomainName {
    /// The most octets of a name on the wire, including the root label (RFC 1035 §2.3.4).
    static let maximumByteCount = 255
    /// The most octets of a label (RFC 1035 §2.3.4).
    static let maximumLabelByteCount = 63

    /// The length of the uncompressed name that starts at `offset`.
    ///
    /// A compression pointer is refused. A question has the first name of its message, so a pointer there could lead
    /// only into the header or to itself, and ldns would follow it 65,535 times.
    ///
    /// - Returns: the octets of the name with its root label; `nil` if it is cut off, too long or compressed.
    @inline(__always)
    static func uncompressedByteCount(in message: RawSpan, at offset: Int) -> Int? {
        var position = offset
        while let length = message.octet(at: position) {
            if length == 0 { return position &+ 1 &- offset }
            guard length <= maximumLabelByteCount else { return nil }
            position &+= 1 &+ Int(length)
            guard position &- offset < maximumByteCount else { return nil }
        }
        return nil
    }

    /// Whether `name` is `ancestor` or below it; both are uncompressed and in lower case.
    static func isName(_ name: [UInt8], atOrBelow ancestor: [UInt8]) -> Bool {
        var start = 0
        while name.count - start > ancestor.count {
            guard name[start] > 0 else { return false }
            start += 1 + Int(name[start])
        }
        return name.count - start == ancestor.count && name[start...].elementsEqual(ancestor)
    }

    /// The position of a name in a zone.
    struct Position {
        /// The octets of the labels above the zone's origin; 0 for the origin itself.
        var relativeByteCount: Int
        /// The number of these labels.
        var labelCount: Int
        /// The offset of the last of them, the one next to the origin.
        var lastLabelOffset: Int

        /// The offset of the zone's origin in a message that has the name in its question.
        var zoneOffset: UInt16 { UInt16(truncatingIfNeeded: MessageHeader.byteCount &+ relativeByteCount) }
    }

    /// Finds the position of `name` in the zone of `origin`.
    ///
    /// - Parameters:
    ///   - name: an uncompressed name, in any case.
    ///   - origin: the zone's name, in lower case.
    /// - Returns: `nil` if the name is not in the zone.
    @inline(__always)
    static func position(of name: RawSpan, in origin: RawSpan) -> Position? {
        let relative = name.byteCount &- origin.byteCount
        var position = Position(relativeByteCount: relative, labelCount: 0, lastLabelOffset: 0)
        var offset = 0
        // Only a label boundary counts: the origin's octets may also stand inside a label.
        while offset < relative {
            guard let length = name.octet(at: offset), length > 0 else { return nil }
            position.labelCount &+= 1
            position.lastLabelOffset = offset
            offset &+= 1 &+ Int(length)
        }
        guard offset == relative, name.extracting(relative...).isName(origin) else {
            return nil
        }
        return position
    }
}
