import Foundation

/// What has happened: the last steps as text, and all steps as a number that distinguishes runs.
struct Trace {
    /// The number of steps kept as text: `STEPS`.
    private static let length = ProcessInfo.processInfo.environment["STEPS"].flatMap { Int($0) } ?? 60

    private var steps: [String] = []
    private var oldest = 0
    /// FNV-1a over everything that was added.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var count = 0

    mutating func add(_ time: Microseconds, _ text: String) {
        count += 1
        for octet in text.utf8 { digest = (digest ^ UInt64(octet)) &* 0x100_0000_01B3 }
        digest = (digest ^ UInt64(bitPattern: time)) &* 0x100_0000_01B3
        let step = "\(Self.seconds(time)) \(text)"
        if steps.count < Self.length {
            steps.append(step)
        } else {
            steps[oldest] = step
            oldest = (oldest + 1) % Self.length
        }
    }

    /// The last steps in order, one a line.
    var lastSteps: String { (steps[oldest...] + steps[..<oldest]).joined(separator: "\n") }

    private static func seconds(_ time: Microseconds) -> String {
        let fraction = String(1000 + time / 1000 % 1000).dropFirst()
        return "\(time / 1_000_000).\(fraction)"
    }
}
