import Dispatch
import Synchronization
import Testing

@testable import ControlPlane

/// A log reader that stalls holds up nothing.
@Suite struct LogWriterTests {
    /// A reader that stops reading, and continues later.
    final class Reader: Sendable {
        let text = Mutex("")
        private let gate = DispatchSemaphore(value: 0)
        private let isStalled = Mutex(false)
        let isWorking = Atomic(true)

        func stall() { isStalled.withLock { $0 = true } }

        func goOn() {
            isStalled.withLock { $0 = false }
            gate.signal()
        }

        func write(_ text: String) -> Bool {
            if isStalled.withLock({ $0 }) { gate.wait() }
            guard isWorking.load(ordering: .relaxed) else { return false }
            self.text.withLock { $0 += text }
            return true
        }
    }

    private func makeWriter(_ reader: Reader) -> LogWriter {
        LogWriter(write: reader.write) { "\($0) lost\n" }
    }

    @Test func `lines are written in their order`() {
        let reader = Reader()
        let writer = makeWriter(reader)
        for number in 0..<10_000 { writer.append("\(number)\n") }
        #expect(writer.flush(within: .seconds(30)))
        #expect(reader.text.withLock { $0 } == (0..<10_000).map { "\($0)\n" }.joined())
    }

    @Test func `what a stalled reader can't take is counted, and told when it reads on`() {
        let reader = Reader()
        let writer = makeWriter(reader)
        reader.stall()
        let line = String(repeating: "x", count: 1023) + "\n"
        writer.append("first\n")
        // More than may wait, whether the first line is written alone or not.
        for _ in 0..<3 * LogWriter.maximumOctets / line.utf8.count { writer.append(line) }
        #expect(!writer.flush(within: .milliseconds(1)))
        reader.goOn()
        #expect(writer.flush(within: .seconds(30)))
        let lines = reader.text.withLock { $0 }.split(separator: "\n")
        let kept = lines.count { $0.hasPrefix("xxx") }
        #expect(lines.first == "first")
        #expect((1023...2048).contains(kept))
        #expect(lines.last == "\(3 * 1024 - kept) lost")
        writer.append("after\n")
        #expect(writer.flush(within: .seconds(30)))
        #expect(reader.text.withLock { $0 }.hasSuffix(" lost\nafter\n"))
    }

    @Test func `lines that can't be written are counted too`() {
        let reader = Reader()
        let writer = makeWriter(reader)
        reader.isWorking.store(false, ordering: .relaxed)
        for _ in 0..<3 {
            writer.append("x\n")
            #expect(writer.flush(within: .seconds(30)))
        }
        reader.isWorking.store(true, ordering: .relaxed)
        writer.append("y\n")
        #expect(writer.flush(within: .seconds(30)))
        #expect(reader.text.withLock { $0 } == "y\n3 lost\n")
    }
}
