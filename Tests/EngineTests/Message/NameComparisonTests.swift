import CLdns
import Testing

@testable import Engine

/// Names are compared and hashed eight octets at a time. Here that is compared with ldns's canonical form (RFC 4034
/// §6.2).
struct NameComparisonTests {
    /// The name in ldns's canonical form.
    private func canonical(_ wire: [UInt8]) throws -> [UInt8] {
        guard let name = unsafe ldns_dname_new_frm_data(UInt16(wire.count), wire) else {
            throw TestFailure("no memory")
        }
        // Unsafe: the octets are copied, the name is freed here.
        defer { unsafe ldns_rdf_deep_free(name) }
        unsafe ldns_dname2canonical(name)
        return unsafe [UInt8](UnsafeBufferPointer(start: ldns_rdf_data(name), count: ldns_rdf_size(name)))
    }

    private func isName(_ asked: [UInt8], _ name: [UInt8]) -> Bool { asked.rawSpan.isName(name.rawSpan) }

    private func hash(_ name: [UInt8]) -> UInt64 { NameHash.hash(name.rawSpan) }

    @Test func `every octet value is lowered as ldns does, at every place`() throws {
        for octet in UInt8.min...UInt8.max {
            for length in [1, 2, 6, 7, 8, 9, 15, 16, 17, 30] {
                for place in Set([0, length / 2, length - 1]) {
                    var label = [UInt8](repeating: 120, count: length)
                    label[place] = octet
                    let name = [UInt8(length)] + label + [0]
                    let lowered = try canonical(name)
                    #expect(isName(name, lowered), "octet \(octet) at \(place) of \(length)")
                    #expect(hash(name) == hash(lowered), "octet \(octet) at \(place) of \(length)")
                    // No other octet counts as equal to it.
                    for other in [octet ^ 0x20, octet &+ 1, octet ^ 0x80] where other != lowered[1 + place] {
                        var different = lowered
                        different[1 + place] = other
                        #expect(!isName(name, different), "octet \(octet) and \(other)")
                    }
                }
            }
        }
    }

    @Test func `random names of all lengths compare as ldns compares them`() throws {
        var random = SeededRandom(11)
        var equal = 0
        for _ in 0..<5000 {
            var name: [UInt8] = []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let length = UInt8.random(in: 1...63, using: &random)
                name += [length] + (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            guard name.count < 255 else { continue }
            name.append(0)
            let lowered = try canonical(name)
            #expect(isName(name, lowered) && hash(name) == hash(lowered))
            // One octet of a label differs, perhaps only in case.
            var other = name
            let place = Int.random(in: 1...Int(name[0]), using: &random)
            other[place] = Bool.random(using: &random) ? other[place] ^ 0x20 : .random(in: 0...255, using: &random)
            let isSame = try canonical(other) == lowered
            equal += isSame ? 1 : 0
            #expect(isName(other, lowered) == isSame)
            if isSame { #expect(hash(other) == hash(name)) }
            // A name that is longer or shorter is a different name.
            #expect(!isName(name + [0], lowered) && !isName(name.dropLast(), lowered))
        }
        #expect(equal > 200, "too few equal names to prove anything: \(equal)")
    }

    @Test func `different names have different hashes`() {
        var seen: Set<UInt64> = []
        for length in 1...40 {
            // The letters are the same, the lengths differ. The overlap in the last eight octets must not make them
            // equal.
            #expect(seen.insert(hash([UInt8(length)] + [UInt8](repeating: 97, count: length))).inserted)
            for place in 1...length {
                var name = [UInt8(length)] + [UInt8](repeating: 97, count: length)
                name[place] = 98
                #expect(seen.insert(hash(name)).inserted)
            }
        }
        #expect(hash([]) == hash([]))
    }
}
