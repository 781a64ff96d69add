import Foundation
import Testing

/// All that reads octets from outside gets inputs that almost make sense. `make fuzz-control` looks longer, and knows
/// which inputs reach new code.
@Suite struct FuzzTests {
    private static let inputsOfReader = 4000

    /// The seeds of a reader, which libFuzzer has too.
    private static func seeds(of reader: FuzzedReader) throws -> [[UInt8]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../Fuzz/control/Corpus")
        let folder = root.appending(path: reader.rawValue).standardized
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
            Array(try Data(contentsOf: folder.appending(path: name)))
        }
    }

    @Test(arguments: FuzzedReader.allCases)
    func `nothing that is read traps, and what is made of it is right`(reader: FuzzedReader) throws {
        let seeds = try Self.seeds(of: reader)
        #expect(seeds.count > 2)
        for seed in seeds { #expect(reader.complaint(about: seed) == nil, "\(String(decoding: seed, as: UTF8.self))") }
        var mutation = Mutation(seeds: seeds, random: SplitMix64(seed: 20_261_127))
        for _ in 0..<Self.inputsOfReader {
            let input = mutation.next()
            let complaint = reader.complaint(about: input)
            // The input is long: it is shown only where something is wrong.
            if let complaint { Issue.record("\(complaint): \(input)") }
        }
    }

    @Test func `a mutation is a part of the seeds, almost`() {
        var mutation = Mutation(seeds: [Array("abc".utf8), Array("defg".utf8)], random: SplitMix64(seed: 1))
        let inputs = (0..<200).map { _ in mutation.next() }
        #expect(Set(inputs).count > 100)
        #expect(inputs.allSatisfy { $0.count < 4096 })
    }
}

/// Makes inputs of others: with octets changed, taken out, put in, doubled, and numbers at their extremes.
private struct Mutation {
    private static let maximumOctets = 4000
    private static let extremes = [
        "0", "-1", "1e400", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "18446744073709551615", "1152921504606846977", "0.1", "\"\"", "null", "true", "[]", "{}", "\\u0000", "\u{FEFF}",
        "\n", "2147483648", "65536", "1e0", "\u{10FFFF}", "\"", "\\", ",", ":", "&a", "*a", "!!str ",
    ].map { Array($0.utf8) }

    let seeds: [[UInt8]]
    var random: SplitMix64

    /// The next input.
    mutating func next() -> [UInt8] {
        var input = seeds[Int.random(in: 0..<seeds.count, using: &random)]
        for _ in 0..<Int.random(in: 1...4, using: &random) { change(&input) }
        return Array(input.prefix(Self.maximumOctets))
    }

    private mutating func change(_ input: inout [UInt8]) {
        guard !input.isEmpty else { return input = [.random(in: 0...255, using: &random)] }
        let place = Int.random(in: 0..<input.count, using: &random)
        let end = min(input.count, place + .random(in: 1...16, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0: input[place] = .random(in: 0...255, using: &random)
        case 1: input[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: input.removeSubrange(place..<end)
        case 3: input.insert(contentsOf: input[place..<end], at: place)
        case 4: input.replaceSubrange(place..<end, with: Self.extremes.randomElement(using: &random) ?? [])
        case 5: input.insert(contentsOf: Self.extremes.randomElement(using: &random) ?? [], at: place)
        default:
            let other = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            input.replaceSubrange(place..., with: other.suffix(max(0, other.count - place)))
        }
    }
}
