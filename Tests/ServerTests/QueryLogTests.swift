import Foundation
import Glibc
import Testing

extension ServerTests {
    /// The log of queries.
    @Suite struct QueryLogTests {
        private struct Line: Decodable, Equatable {
            var time: String
            var client: String
            var transport: String
            var name: String?
            var type: String?
            var flags: String
            var rcode: String
            var replyFlags: String
            var source: String
            var answers: Int
            var size: Int
            var microseconds: Int

            init(_ json: some StringProtocol) throws {
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                self = try decoder.decode(Line.self, from: Data(json.utf8))
            }
        }

        private func text(_ file: String) -> String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }

        /// Waits until a file has as many lines, each a JSON object.
        private func lines(_ count: Int, in file: String) throws -> [Line] {
            try eventually("\(count) lines in \(text(file))") {
                let text = text(file)
                return text.hasSuffix("\n") && text.split(separator: "\n").count >= count
            }
            return try text(file).split(separator: "\n").map { try Line($0) }
        }

        private func counts(_ server: ServerProcess) throws -> (written: Int, dropped: Int) {
            let metrics = try HTTPConnection(server.rest).request("GET", "/metrics").text
            func value(_ name: String) -> Int {
                metrics.split(separator: "\n").first { $0.hasPrefix("kong_discovery_query_log_\(name)_total ") }
                    .flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? -1
            }
            return (value("written"), value("dropped"))
        }

        @Test func `each query is one line that says who asked what, and what was answered from where`() async throws {
            let folder = try TemporaryFolder()
            let file = "\(folder.path)/queries.log"
            let upstream = try ServerProcess(["dns.domain": "upstream.test", "dns.workers": "1"])
            let settings = [
                "dns.upstream.servers": "\(upstream.dns[0])", "query_log.sample": "1", "query_log.file": file,
                "dns.workers": "1",
            ]
            try await withServer(settings) { server in
                try HTTPConnection(server.rest).register(Registration("web", "10.0.0.1"))
                try HTTPConnection(upstream.rest).register(Registration("db", "10.0.0.2"))
                let started = Date()
                _ = try server.ask("WEB.service.kong", payload: 1232)
                _ = try server.ask("db.upstream.test")
                _ = try server.ask("db.upstream.test")
                _ = try server.ask("none.service.kong")
                _ = try server.ask("web.service.kong", .srv, over: .tcp)
                _ = try server.ask("0a000001.addr.service.kong")
                let client = try DNSClient(server.dns[0])
                // Without RD nothing is forwarded.
                var refused = DNSMessage.query("db.upstream.test", .a)
                refused[2] = 0
                try client.send(refused)
                _ = try client.receive()

                let lines = try lines(7, in: file)
                #expect(
                    lines.map(\.name) == [
                        "WEB.service.kong", "db.upstream.test", "db.upstream.test", "none.service.kong",
                        "web.service.kong", "0a000001.addr.service.kong", "db.upstream.test",
                    ])
                #expect(
                    lines.map(\.source) == ["zone", "upstream", "cache", "zone", "zone", "synthesized", "none"])
                #expect(
                    lines.map(\.rcode) == [
                        "NOERROR", "NOERROR", "NOERROR", "NXDOMAIN", "NOERROR", "NOERROR", "REFUSED",
                    ])
                #expect(lines.map(\.answers) == [1, 1, 1, 0, 1, 1, 0])
                #expect(lines.map(\.transport) == ["udp", "udp", "udp", "udp", "tcp", "udp", "udp"])
                #expect(lines.map(\.type) == ["A", "A", "A", "A", "SRV", "A", "A"])
                #expect(lines.map(\.flags) == ["rd edns", "rd", "rd", "rd", "rd", "rd", ""])
                #expect(lines[0].replyFlags == "aa ra" && lines[1].replyFlags == "ra")
                #expect(lines.allSatisfy { $0.client == "127.0.0.1" && $0.size > 12 && $0.microseconds >= 0 })
                let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                for line in lines {
                    #expect(line.time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
                    let time = try style.parse("\(line.time.prefix(23))Z")
                    #expect((-1...60).contains(time.timeIntervalSince(started)), "\(line.time)")
                }
                try eventually("seven are counted") { try counts(server) == (7, 0) }
            }
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            try upstream.stop()
            // Nothing came later.
            #expect(try lines(7, in: file).count == 7)
        }

        private func head(_ questionCount: UInt8) -> [UInt8] { [0, 1, 1, 0, 0, questionCount, 0, 0, 0, 0, 0, 0] }

        @Test func `names with any octets are harmless text`() async throws {
            let folder = try TemporaryFolder()
            let file = "\(folder.path)/queries.log"
            try await withServer(["query_log.sample": "1", "query_log.file": file]) { server in
                let client = try DNSClient(server.dns[0])
                let labels: [[UInt8]] = [
                    Array("a\"b\\c\n\u{1B}[31m".utf8), [0, 0xFF, 0xC3, 0x28, 0x2E, 0x20], Array("{}\u{2028}".utf8),
                ]
                let name: [UInt8] = labels.flatMap { [UInt8(truncatingIfNeeded: $0.count)] + $0 } + [0]
                try client.send(head(1) + name + [0xFF, 0x00, 0, 1])
                _ = try client.receive()
                // Two questions: there is no name.
                try client.send(head(2) + name + [0, 1, 0, 1])
                _ = try client.receive()
                let lines = try lines(2, in: file)
                #expect(
                    lines.map(\.name) == [
                        #"a\"b\\c\010\027[31m.\000\255\195\(\.\032.{}\226\128\168"#, nil,
                    ])
                #expect(lines.map(\.type) == ["TYPE65280", nil] && lines.map(\.rcode) == ["REFUSED", "FORMERR"])
                #expect(text(file).utf8.allSatisfy { $0 == 0x0A || (0x20...0x7E).contains($0) })
            }
        }

        @Test func `SIGHUP opens the file again, and changes share and file`() async throws {
            let folder = try TemporaryFolder()
            let file = "\(folder.path)/queries.log"
            func configure(_ sample: String, _ file: String) throws -> String {
                try folder.write("k.yaml", "dns: {workers: 1}\nquery_log: {sample: \(sample), file: \(file)}\n")
            }
            let configuration = try configure("1", file)
            try await withServer(file: configuration, toleratesErrors: true) { server in
                var reloads = 0
                func reload() throws {
                    server.process.signal(SIGHUP)
                    reloads += 1
                    try server.waitForLog("configuration reloaded", count: reloads)
                }
                func reopen() throws {
                    let count = server.logLines.count { $0.contains("queries are logged") }
                    try reload()
                    try server.waitForLog("queries are logged", count: count + 1)
                }
                _ = try server.ask("one.service.kong")
                _ = try lines(1, in: file)
                // As logrotate does it.
                try FileManager.default.moveItem(atPath: file, toPath: "\(file).1")
                _ = try server.ask("two.service.kong")
                #expect(try lines(2, in: "\(file).1").map(\.name) == ["one.service.kong", "two.service.kong"])
                try reopen()
                _ = try server.ask("three.service.kong")
                #expect(try lines(1, in: file).map(\.name) == ["three.service.kong"])

                // A file that can't be opened: the old one goes on.
                _ = try configure("1", "\(folder.path)/none/queries.log")
                server.process.signal(SIGHUP)
                reloads += 1
                try server.waitForLog("query log not reopened: the old one goes on")
                let problem = try #require(server.logLines.first { $0.contains("not reopened") })
                #expect(problem.contains("k.yaml:2:"))
                #expect(problem.contains("none/queries.log: can't be written: No such file or directory"))
                _ = try server.ask("four.service.kong")
                #expect(try lines(2, in: file).map(\.name) == ["three.service.kong", "four.service.kong"])

                _ = try configure("0", file)
                try reload()
                try server.waitForLog("queries are not logged any more")
                for _ in 0..<50 { _ = try server.ask("five.service.kong") }
                _ = try configure("1", "\(folder.path)/other.log")
                try reopen()
                _ = try server.ask("six.service.kong")
                #expect(try lines(1, in: "\(folder.path)/other.log").map(\.name) == ["six.service.kong"])
                #expect(try lines(2, in: file).count == 2)
                #expect(try counts(server).dropped == 0)
            }
        }

        @Test(arguments: ["text", "json"])
        func `without a file, queries are lines of the log`(format: String) async throws {
            // The start is told as text, which the test waits for.
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "query_log: {sample: 1}\n")
            try await withServer(file: file) { server in
                _ = try folder.write("k.yaml", "query_log: {sample: 1}\nlog: {format: \(format)}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog("queries are logged", count: 2)
                _ = try server.ask("none.service.kong", .srv)
                if format == "json" {
                    try server.waitForLog(#""message":"query""#)
                    let line = try #require(server.logLines.first { $0.contains(#""message":"query""#) })
                    #expect(line.contains(#""name":"none.service.kong""#) && line.contains(#""answers":0"#))
                } else {
                    try server.waitForLog(" info     query ")
                    let line = try #require(server.logLines.first { $0.contains(" query ") })
                    #expect(line.contains(" name=none.service.kong ") && line.contains(" rcode=NXDOMAIN "))
                    #expect(line.contains(" source=zone ") && line.contains(" type=SRV"))
                }
                try eventually("one is counted") { try counts(server) == (1, 0) }
            }
        }

        @Test func `a full disk loses lines, says so once, and delays no answer`() async throws {
            let settings = ["query_log.sample": "1", "query_log.file": "/dev/full"]
            try await withServer(settings, toleratesErrors: true) { server in
                for _ in 0..<200 { #expect(try server.ask("none.service.kong").code == .nameError) }
                try eventually("all are counted") { try counts(server) == (0, 200) }
                try server.waitForLog("the query log can't be written: lines are lost")
                let errors = server.logLines.filter { $0.contains(" error ") }
                #expect(errors.count == 1)
                #expect(errors.first?.contains("No space left on device") == true)
            }
        }

        @Test func `a pipe that nobody empties delays no answer, and its reader gets whole lines`() async throws {
            let folder = try TemporaryFolder()
            let pipe = "\(folder.path)/pipe"
            try #require(unsafe mkfifo(pipe, 0o600) == 0)
            let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            try #require(reader >= 0)
            defer { close(reader) }
            let settings = ["query_log.sample": "1", "query_log.file": pipe, "dns.workers": "1"]
            try await withServer(settings, toleratesErrors: true) { server in
                // More than the pipe and the worker's ring hold.
                let asked = 6000
                let client = try DNSClient(server.dns[0])
                for _ in 0..<asked { #expect(try client.ask("none.service.kong").code == .nameError) }
                #expect(try counts(server).dropped > 0)
                try server.waitForLog("the query log can't be written: lines are lost")

                var octets: [UInt8] = []
                func read() {
                    var buffer = [UInt8](repeating: 0, count: 65_536)
                    let count = unsafe Glibc.read(reader, &buffer, buffer.count)
                    if count > 0 { octets += buffer[..<count] }
                }
                try eventually("the log goes on; \(octets.count) octets") {
                    _ = try client.ask("last.service.kong")
                    read()
                    return octets.last == 0x0A && String(decoding: octets, as: UTF8.self).contains("last.service.kong")
                }
                let lines = try String(decoding: octets, as: UTF8.self).split(separator: "\n").map { try Line($0) }
                #expect(lines.count > 100)
            }
        }

        @Test func `a file that can't be opened is named with its place`() throws {
            let folder = try TemporaryFolder()
            let pipe = "\(folder.path)/pipe"
            try #require(unsafe mkfifo(pipe, 0o600) == 0)
            for (path, reason) in [
                ("\(folder.path)/none/q.log", "No such file or directory"), (folder.path, "Is a directory"),
                (pipe, "No such device or address"),
            ] {
                let file = try folder.write("k.yaml", "query_log:\n  sample: 0.5\n  file: \(path)\n")
                let process = try ServerProcess.start(["serve", "--config", file])
                #expect(try process.waitForExit() == .exited(1))
                let line = "\(file):3:9: query_log.file: \(path): can't be written: \(reason)"
                #expect(process.errors == "kong-discovery: error: \(line)\n")
            }
            // What is not used is not opened.
            #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/none"))
        }

        @Test(arguments: ["1.5", "-0.1", "all", "nan"])
        func `a share beyond 0 to 1 is an error of the configuration`(sample: String) throws {
            let process = try ServerProcess.start(["serve"], ["query_log.sample": sample])
            #expect(try process.waitForExit() == .exited(1))
            #expect(
                process.errors.contains("KONG_DISCOVERY_QUERY_LOG_SAMPLE: query_log.sample: '\(sample)' "),
                "\(process.errors)")
        }
    }
}
