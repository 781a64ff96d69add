import Foundation
import Logging
import Synchronization
import Testing

@testable import ControlPlane

/// Log lines: their form, what they escape, and how the level changes.
@Suite struct LoggingTests {
    /// Collects what is written.
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        private let outputs = Mutex<[LogOutput]>([])

        var all: [String] {
            for output in outputs.withLock({ $0 }) { output.flush(within: .seconds(30)) }
            return lines.withLock { $0 }
        }

        /// An output that writes here. Its time is one and a half seconds after 2026-01-31T23:59:58Z.
        func output(level: Logger.Level = .info, format: LogFormat = .text) -> LogOutput {
            let output = LogOutput { text in
                // Several lines may come in one call.
                let lines = text.split(separator: "\n").map { "\($0)\n" }
                self.lines.withLock { $0 += lines }
                return true
            } now: {
                WallTime(millisecondsSince1970: 1_769_903_999_507)
            }
            outputs.withLock { $0.append(output) }
            var log = Configuration.Log()
            (log.level, log.format) = (level, format)
            output.apply(log)
            return output
        }
    }

    @Test func `JSON in a value stays JSON, and one line`() {
        let json = JSONText("{\"a\":\"b\u{202E}\"}")
        func line(_ format: LogFormat) -> String? {
            let lines = Lines()
            lines.output(format: format).log(.info, "status", metadata: ["status": .stringConvertible(json)])
            return lines.all.first
        }
        #expect(line(.text)?.hasSuffix(" status status={\"a\":\"b\\u202e\"}\n") == true)
        #expect(line(.json)?.hasSuffix(#","message":"status","status":{"a":"b\u202e"}}"# + "\n") == true)
    }

    @Test func `why the program ends is told in the form of the log`() {
        func line(_ format: LogFormat) -> String? {
            let lines = Lines()
            lines.output(format: format).printFailure("dns.listen: \"x\"")
            return lines.all.first
        }
        #expect(line(.text) == "kong-discovery: error: dns.listen: \"x\"\n")
        let lines = Lines()
        let output = lines.output()
        output.printFailure(CocoaError(.fileWriteOutOfSpace))
        output.logger(label: "test").error("lost", error: CocoaError(.fileReadNoPermission))
        #expect(lines.all.first == "kong-discovery: error: No space left on device\n")
        #expect(lines.all.last?.hasSuffix(" lost error=\"Permission denied\"\n") == true)
        #expect(line(.json)?.hasSuffix(#""level":"critical","message":"dns.listen: \"x\""}"# + "\n") == true)
    }

    @Test func `a text line has time, level, message and sorted values`() {
        let lines = Lines()
        let logger = lines.output().logger(label: "test")
        logger.info("registered", metadata: ["name": "orders", "id": "a b", "empty": "", "count": "\(3)"])
        logger.critical("out of memory")
        #expect(
            lines.all == [
                "2026-01-31T23:59:59.507Z info     registered count=3 empty=\"\" id=\"a b\" name=orders\n",
                "2026-01-31T23:59:59.507Z critical out of memory\n",
            ]
        )
    }

    @Test func `a JSON line is an object with numbers and booleans as they are`() throws {
        let lines = Lines()
        let logger = lines.output(format: .json).logger(label: "test")
        logger.warning(
            "say \"hi\"\\",
            metadata: [
                "count": .stringConvertible(3), "ready": .stringConvertible(true), "time": "own",
                "list": ["a", "b"], "map": ["k": "v"],
            ]
        )
        #expect(
            lines.all == [
                #"{"time":"2026-01-31T23:59:59.507Z","level":"warning","message":"say \"hi\"\\","count":3,"#
                    + #""list":["a","b"],"map":{"k":"v"},"ready":true,"time_":"own"}"# + "\n"
            ]
        )
    }

    @Test(arguments: [LogFormat.text, .json])
    func `nothing that is logged can end the line or move the cursor`(format: LogFormat) throws {
        let hostile = "a\nb\r\t\u{0}\u{1B}[2J\u{7F}\u{85}\u{2028}\u{202E}\"\\ ü 😀"
        let lines = Lines()
        let logger = lines.output(format: format).logger(label: "test")
        logger.info("\(hostile)", metadata: ["\(hostile)": "\(hostile)"])
        let line = try #require(lines.all.first)
        #expect(line.hasSuffix("\n"))
        #expect(line.dropLast().unicodeScalars.allSatisfy { !$0.isUnsafeInLine })
        if format == .json {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
            #expect(object?["message"] == hostile)
            #expect(object?[hostile] == hostile)
        }
    }

    @Test(arguments: [
        ("\u{202E}", "\\u202e"), ("\u{2066}", "\\u2066"), ("\u{200F}", "\\u200f"), ("\u{61C}", "\\u061c"),
        ("\u{FEFF}", "\\ufeff"),
        ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029"), ("\u{85}", "\\u0085"), ("\u{9B}", "\\u009b"),
        ("\u{7F}", "\\u007f"),
        ("\u{1B}", "\\u001b"), ("\u{E0001}", "\\udb40\\udc01"), ("\n", "\\n"), ("é", "é"),
    ])
    func `what turns the direction of writing, or ends a line, is escaped`(character: String, shown: String) {
        let lines = Lines()
        lines.output().logger(label: "test").info("a\(character)b", metadata: ["k": "\(character)"])
        #expect(lines.all.first?.contains("a\(shown)b ") == true)
        #expect("a\(character)".escapingControls == "a\(shown)")
    }

    @Test func `a changed level is in force at once for loggers that exist`() {
        let lines = Lines()
        let output = lines.output(level: .warning)
        let logger = output.logger(label: "test")
        logger.info("one")
        var log = Configuration.Log()
        log.level = .debug
        output.apply(log)
        logger.debug("two")
        logger.trace("three")
        #expect(lines.all.count == 1)
        #expect(lines.all.first?.contains("two") == true)
    }

    @Test func `a logger with a level of its own leaves the others alone`() {
        let lines = Lines()
        let output = lines.output()
        var own = output.logger(label: "own")
        let other = output.logger(label: "other")
        own.logLevel = .debug
        own[metadataKey: "who"] = "own"
        own.debug("one")
        other.debug("two")
        #expect(lines.all.map { $0.hasSuffix("one who=own\n") } == [true])
    }

    @Test(arguments: Logger.Level.allCases)
    func `each level is applied as it is named`(level: Logger.Level) {
        #expect(Lines().output(level: level).level == level)
    }
}
