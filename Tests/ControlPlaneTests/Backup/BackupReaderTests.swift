import Engine
import Testing

@testable import ControlPlane

/// A backup has all that it was made of, or is refused with the place and the reason.
@Suite struct BackupReaderTests {
    private static let whole = BackupText.of(BackupText.everything, policies: BackupText.policies)

    private func problem(_ octets: [UInt8], pieceOctets: Int = .max) -> BackupProblem? {
        do throws(BackupProblem) {
            _ = try BackupContent(octets, pieceOctets: pieceOctets)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [1, 7, 64, 4096, .max]) func `everything comes back, however it is cut into pieces`(
        pieceOctets: Int
    ) throws {
        let content = try BackupContent(Self.whole.octets, pieceOctets: pieceOctets)
        #expect(content.policies == BackupText.policies)
        let expected = BackupText.everything.map { instance in
            var instance = instance
            instance.sequence = 0
            return instance
        }
        #expect(content.instances == expected)
        // It is stable: the same again is the same text.
        #expect(BackupText.of(content.instances, policies: content.policies) == Self.whole)
        #expect(Self.whole.lines.count == 2 + BackupText.policies.count + BackupText.everything.count)
        // A reader that does not read instances finds the same.
        var reader = BackupReader()
        try reader.read(Self.whole.octets)
        let counts = try reader.finish()
        #expect(counts == BackupCounts(policies: BackupText.policies.count, instances: BackupText.everything.count))
    }

    @Test func `an empty registry has a backup, and an editor may take the last line feed`() throws {
        let empty = BackupText.of([])
        #expect(try BackupContent(empty.octets).instances.isEmpty && empty.lines.count == 2)
        #expect(problem(empty.octets.dropLast()) == nil)
    }

    @Test func `what the brake does, and results without a check, are not taken over`() throws {
        var held = ServiceInstance.test(1)
        held.isHeld = true
        held.results = [CheckRecord(name: "gone", status: .critical, since: WallTime(millisecondsSince1970: 1))]
        let found = try #require(try BackupContent(BackupText.of([held]).octets).instances.first)
        #expect(!found.isHeld && found.results.isEmpty && found.id == held.id)
    }

    @Test func `each cut is noticed`() {
        let octets = BackupText.of([.test(1), .test(2)], policies: BackupText.policies).octets
        for count in 0..<(octets.count - 1) {
            #expect(problem(Array(octets.prefix(count))) != nil, "\(count)")
        }
    }

    @Test func `each changed octet is noticed`() {
        let octets = BackupText.of([.test(1)], policies: BackupText.policies).octets
        for index in octets.indices.dropLast() {
            for bit in [0, 1, 5] {
                var changed = octets
                changed[index] ^= 1 << bit
                #expect(problem(changed) != nil, "bit \(bit) of octet \(index)")
            }
        }
    }

    private static let header = whole.lines[0]
    private static let instance = whole.lines[4]

    @Test(
        arguments: [
            ("", nil, "it is empty"),
            ("hello\n", 1, "this is no backup of kong-discovery"),
            (String(repeating: "x", count: 300_000), 1, "this is no backup of kong-discovery"),
            (#"{"services":[]}"# + "\n", 1, "'services import' takes lists"),
            (#"{"format":"kong-discovery-backup"}"# + "\n", 1, "no format_version"),
            (
                #"{"format":"kong-discovery-backup","format_version":2,"product_version":"9.0.0"}"# + "\n", 1,
                "version 2 of the format by kong-discovery 9.0.0, and this server reads version 1"
            ),
            (
                #"{"format":"kong-discovery-backup","format_version":1,"policies":-1,"instances":0}"# + "\n", 1,
                "does not say how many"
            ),
            (header + "\n", nil, "it ends after line 1"),
            (header + "\n" + instance + "\n", nil, "it ends after line 2"),
            (header + "\n" + instance.dropLast(9), nil, "it ends after line 1"),
            (
                BackupText.sealed([BackupText.of([]).lines[0], instance], instances: 1).text, 2,
                "there are more lines of this kind than the header says"
            ),
            (header + "\n\n", 2, "not JSON"), (header + "\n7\n", 2, "no object with one member"),
            (header + "\n{}\n", 2, "no object with one member"),
            (header + "\n" + #"{"other":{}}"# + "\n", 2, "neither a policy nor an instance"),
            (header + "\n" + #"{"instance":7}"# + "\n", 2, "not an object"),
            (
                header + "\n" + #"{"instance":{"id":"a","name":"b","ip":"10.0.0.1","port":80}}"# + "\n", 2,
                "draining or registered_at_milliseconds is missing"
            ),
            (
                header + "\n"
                    + #"{"instance":{"name":"addr","ip":"224.0.0.1","port":0,"draining":false,"#
                    + #""registered_at_milliseconds":0}}"# + "\n", 2,
                "name 'addr' is reserved, ip must not be a multicast address, port must be from 1 to 65535"
            ),
            (header + "\n" + #"{"policy":{"name":"a b"}}"# + "\n", 2, "the policy can't be restored: name must be"),
            (header + "\n" + #"{"policy":{"name":"a","dns_ttl":0}}"# + "\n", 2, "dns_ttl must be from 1"),
            (header + "\n" + #"{"aborted":"too slow"}"# + "\n", 2, "the server could not complete it: too slow"),
            (header + "\n" + #"{"end":{}}"# + "\n", 2, "the end line lacks sha256"),
            (header + "\n" + #"{"instance":{"x":"# + String(repeating: "[", count: 300_000), 2, "it is longer than"),
            (whole.text + "\n", 10, "something follows the end line"),
            (whole.text + "{}", 10, "something follows the end line"),
            (whole.text.replacing("\n", with: "\r\n"), 9, "the check sum (SHA-256) is not"),
            (whole.text.replacing("\"blue\"", with: "\"bluf\""), 9, "the check sum (SHA-256) is not"),
            (
                BackupText.sealed([header, instance], instances: 1).text, 3,
                "there are 1 instance and 0 policies before it instead of 5 instances and 2 policies"
            ),
            (
                BackupText.sealed([BackupText.of([]).lines[0]], instances: 3).text, 2,
                "there are 0 instances and 0 policies before it instead of 3 instances and 0 policies"
            ),
        ] as [(String, Int?, String)])
    func `what is wrong is named, with its line and what to do`(text: String, line: Int?, reason: String) throws {
        for pieceOctets in [.max, 1000] {
            let found = try #require(problem(Array(text.utf8), pieceOctets: pieceOctets))
            #expect(found.line == line && found.reason.contains(reason), "\(found)")
        }
    }

    @Test(
        arguments: [
            ([0x1F, 0x8B, 8, 0, 10, 0], "gunzip"), ([0x28, 0xB5, 0x2F, 0xFD, 10], "unzstd"),
        ] as [([UInt8], String)])
    func `a compressed file is named as such`(octets: [UInt8], program: String) throws {
        let found = try #require(problem(octets + [UInt8](repeating: 0xA5, count: 500)))
        #expect(found.reason.contains("compressed") && found.reason.contains(program))
    }

    @Test func `an address that may not be registered here is named`() throws {
        let octets = BackupText.of([.test(1, ip: "127.0.0.1")]).octets
        let decoder = RegistrationDecoder()
        var here = BackupReader(BackupReader.Rules(decoder: decoder, client: .v4(0x7F00_0001)))
        try here.read(octets)
        var problem: BackupProblem?
        do throws(BackupProblem) {
            var elsewhere = BackupReader(BackupReader.Rules(decoder: decoder, client: .v4(0x0A00_0001)))
            try elsewhere.read(octets)
        } catch {
            problem = error
        }
        #expect(problem?.line == 2 && problem?.reason.contains("loopback") == true)
    }

    @Test func `memory is bounded: a line without an end is refused when it is too long`() {
        var reader = BackupReader()
        var octets = 0
        var problem: BackupProblem?
        do throws(BackupProblem) {
            try reader.read(Array((Self.header + "\n").utf8))
            while octets < 1 << 22 {
                try reader.read([UInt8](repeating: 0x20, count: 4096))
                octets += 4096
            }
        } catch {
            problem = error
        }
        #expect(problem?.line == 2)
        #expect(octets <= BackupFormat.maximumLineOctets)
    }
}
