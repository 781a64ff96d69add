import CLdns
import Testing

@testable import Engine

/// ``Question`` is read by hand. Here it is compared with `ldns_wire2rr`.
struct QuestionTests {
    private struct Reading: Equatable {
        var name: [UInt8]
        var type: UInt16
        var recordClass: UInt16
        var end: Int
    }

    private func message(_ question: [UInt8]) -> [UInt8] { [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + question }

    /// What ``Question`` reads.
    private func read(_ octets: [UInt8]) -> Reading? {
        let span = octets.rawSpan
        guard let question = Question(span) else { return nil }
        let name = question.name(in: span).array
        return Reading(name: name, type: question.type.rawValue, recordClass: question.recordClass, end: question.end)
    }

    /// What ldns reads.
    private func readWithLdns(_ octets: [UInt8]) -> Reading? {
        var record: UnsafeMutablePointer<ldns_rr>?
        var end = 12
        // Unsafe: ldns reads at most `count` octets; the record is freed here.
        let status = unsafe ldns_wire2rr(&record, octets, octets.count, &end, LDNS_SECTION_QUESTION)
        guard status == LDNS_STATUS_OK, let record = unsafe record else { return nil }
        defer { unsafe ldns_rr_free(record) }
        guard let owner = unsafe ldns_rr_owner(record), let start = unsafe ldns_rdf_data(owner) else { return nil }
        return unsafe Reading(
            name: [UInt8](UnsafeBufferPointer(start: start, count: ldns_rdf_size(owner))),
            type: UInt16(truncatingIfNeeded: ldns_rr_get_type(record).rawValue),
            recordClass: UInt16(truncatingIfNeeded: ldns_rr_get_class(record).rawValue), end: end)
    }

    /// Whether the length octet of a label is above 63: a compression pointer, or a reserved value. This is the only
    /// thing that ldns reads and ``Question`` refuses.
    private func isCompressed(_ octets: [UInt8]) -> Bool {
        var offset = 12
        while offset < octets.count, octets[offset] > 0 {
            if octets[offset] > 63 { return true }
            offset += 1 + Int(octets[offset])
        }
        return false
    }

    @Test func `a question is read as ldns packed it`() throws {
        for type: RecordType in [.a, .any, .srv, RecordType(rawValue: 65280)] {
            for recordClass: UInt16 in [1, 2, 3, 255, 65535] {
                var query = TestQuery("WWW.Service.Kong", type)
                query.recordClass = recordClass
                let octets = try query.octets
                let expected = Reading(
                    name: try wireName("WWW.Service.Kong"), type: type.rawValue, recordClass: recordClass,
                    end: octets.count)
                #expect(read(octets) == expected)
                #expect(readWithLdns(octets) == expected)
            }
        }
    }

    @Test func `generated and mutated questions read as ldns reads them`() throws {
        var random = SeededRandom(10)
        var counts: [String: Int] = [:]
        for _ in 0..<30_000 {
            var octets = message([])
            // Most names have few short labels. Some have the longest that are allowed, and longer ones.
            let longest: UInt8 = [4, 4, 20, 63, 70].randomElement(using: &random) ?? 4
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let length = UInt8.random(in: 1...longest, using: &random)
                octets += [length] + (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            octets += [0] + (0..<4).map { _ in UInt8.random(in: 0...255, using: &random) }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: octets.removeLast(Int.random(in: 0..<(octets.count - 11), using: &random))
            case 1: octets[Int.random(in: 12..<octets.count, using: &random)] = .random(in: 0...255, using: &random)
            case 2:
                octets.insert(.random(in: 0...255, using: &random), at: .random(in: 12..<octets.count, using: &random))
            default: octets += [1, 2, 3]
            }
            let reading = read(octets)
            if isCompressed(octets) {
                counts["compressed", default: 0] += 1
                #expect(reading == nil, "\(octets)")
            } else {
                counts[reading == nil ? "refused" : "read", default: 0] += 1
                #expect(reading == readWithLdns(octets), "\(octets)")
            }
        }
        for kind in ["compressed", "refused", "read"] { #expect(counts[kind, default: 0] > 1000, "\(counts)") }
    }

    @Test func `the longest name is read, a longer one is not`() {
        let labels = (0..<3).flatMap { _ in [63] + [UInt8](repeating: 65, count: 63) }
        for (last, isRead) in [(60, true), (61, true), (62, false)] {
            let name = labels + [UInt8(last)] + [UInt8](repeating: 65, count: last) + [0]
            let octets = message(name + [0, 1, 0, 1])
            #expect(read(octets)?.name == (isRead ? name : nil))
            #expect(read(octets) == readWithLdns(octets))
        }
    }

    @Test func `a question that is cut off or compressed is none`() {
        let whole = message([1, 97, 0, 0, 1, 0, 1])
        #expect(read(whole) != nil)
        for count in 0..<whole.count { #expect(read([UInt8](whole.prefix(count))) == nil, "\(count) octets") }
        #expect(read(message([0xC0, 12, 0, 1, 0, 1])) == nil)
        #expect(read(message([1, 97, 0xC0, 0, 0, 1, 0, 1])) == nil)
    }
}
