import Foundation
import Testing

extension ServerTests {
    /// The files in `deploy` are what the real Prometheus and the real server agree on.
    @Suite struct DeployTests {
        /// A dashboard as Grafana reads it: what is required there, and what is used here.
        private struct Dashboard: Decodable {
            struct Place: Decodable {
                var x, y, w, h: Int

                func overlaps(_ other: Place) -> Bool {
                    x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h
                }
            }
            struct Source: Decodable {
                var type: String
                var uid: String
            }
            struct Target: Decodable {
                var refId: String
                var expr: String
                var datasource: Source
            }
            struct Panel: Decodable {
                var id: Int
                var type: String
                var title: String
                var gridPos: Place
                var description: String?
                var datasource: Source?
                var targets: [Target]?
            }
            struct Variables: Decodable {
                struct Variable: Decodable {
                    var name: String
                    var type: String
                }
                var list: [Variable]
            }
            var uid: String
            var title: String
            var schemaVersion: Int
            var editable: Bool
            var graphTooltip: Int
            var panels: [Panel]
            var templating: Variables

            /// All expressions, with something in place of Grafana's variables.
            var expressions: [String] {
                panels.flatMap { $0.targets ?? [] }.map { target in
                    target.expr.replacing("$__rate_interval", with: "1m").replacing("$job", with: ".*")
                        .replacing("$instance", with: ".*")
                }
            }
        }

        private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "deploy").path

        private static func text(_ name: String) throws -> String {
            try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        }

        private static func dashboard() throws -> Dashboard {
            try JSONDecoder().decode(Dashboard.self, from: Data(text("grafana/kong-discovery.json").utf8))
        }

        /// Runs a server that has an upstream, and so all metrics.
        private func withWholeServer(
            _ settings: [String: String] = [:], _ body: (ServerProcess) async throws -> Void
        ) async throws {
            let upstream = try ServerProcess(["dns.domain": "upstream.test", "dns.workers": "1"])
            try HTTPConnection(upstream.rest).register(Registration("db", "192.0.2.1"))
            let usual = ["dns.upstream.servers": "\(upstream.dns[0])"]
            try await withServer(settings.merging(usual) { $1 }) { server in
                #expect(try server.ask("db.upstream.test").texts == ["192.0.2.1"])
                try await body(server)
            }
            try upstream.stop()
        }

        @Test func `promtool accepts the rules, and each alert fires when it should and not otherwise`() throws {
            let prometheus = "\(Self.folder)/prometheus"
            try Command.run("promtool", "check", "rules", "\(prometheus)/alerts.yaml")
            try Command.run("promtool", "test", "rules", "\(prometheus)/alerts_test.yaml")
            try Command.run("promtool", "check", "config", "--syntax-only", "\(prometheus)/prometheus.yml")
            let tests = try Self.text("prometheus/alerts_test.yaml")
            let alerts = try Self.text("prometheus/alerts.yaml").split(separator: "\n").compactMap { line in
                line.firstRange(of: "- alert: ").map { String(line[$0.upperBound...]) }
            }
            #expect(alerts.count > 20 && Set(alerts).count == alerts.count)
            for alert in alerts {
                #expect(tests.contains("- name: \(alert) fires\n") && tests.contains("- name: \(alert) is quiet\n"))
            }
        }

        @Test func `the dashboard has what Grafana requires, and no panel covers another`() throws {
            let dashboard = try Self.dashboard()
            #expect(dashboard.schemaVersion == 39 && (8...40).contains(dashboard.uid.count))
            #expect(dashboard.templating.list.map(\.name) == ["datasource", "job", "instance"])
            let panels = dashboard.panels
            #expect(Set(panels.map(\.id)).count == panels.count)
            for (index, panel) in panels.enumerated() {
                let place = panel.gridPos
                #expect(place.x >= 0 && place.y >= 0 && place.w > 0 && place.h > 0 && place.x + place.w <= 24)
                for other in panels[..<index] {
                    #expect(!place.overlaps(other.gridPos), "\(panel.title) covers \(other.title)")
                }
                if panel.type == "row" { continue }
                let targets = try #require(panel.targets, "\(panel.title)")
                #expect(!targets.isEmpty && Set(targets.map(\.refId)).count == targets.count, "\(panel.title)")
                #expect(panel.description?.isEmpty == false, "\(panel.title)")
                for source in targets.map(\.datasource) + [panel.datasource].compactMap(\.self) {
                    #expect(source.uid == "${datasource}" && source.type == "prometheus", "\(panel.title)")
                }
            }
        }

        @Test func `promtool can read each expression of the dashboard`() throws {
            let rules = try Self.dashboard().expressions.enumerated().map { index, expression in
                ["record": "panel:\(index)", "expr": expression]
            }
            #expect(rules.count > 60)
            // JSON is YAML, too.
            let groups = ["groups": [["name": "panels", "rules": rules] as [String: Any]]]
            let file = "\(ServerProcess.temporaryFolder)/panels-\(UUID()).json"
            try JSONSerialization.data(withJSONObject: groups, options: .withoutEscapingSlashes).write(
                to: URL(filePath: file))
            defer { try? FileManager.default.removeItem(atPath: file) }
            try Command.run("promtool", "check", "rules", file)
        }

        @Test func `each metric of the dashboard and the rules is one of the server`() async throws {
            try await withWholeServer { server in
                let page = try HTTPConnection(server.rest).request("GET", "/metrics").text
                var kinds: [String: String] = [:]
                for line in page.split(separator: "\n") where line.hasPrefix("# TYPE ") {
                    let words = line.split(separator: " ")
                    kinds[String(words[2])] = String(words[3])
                }
                let texts = try Self.dashboard().expressions + [Self.text("prometheus/alerts.yaml")]
                let names = Set(
                    texts.flatMap { $0.split { !$0.isASCII || !($0.isLetter || $0.isNumber || $0 == "_") } }
                        .map(String.init).filter { $0.hasPrefix("kong_discovery_") })
                #expect(names.count > 60)
                for name in names.sorted() {
                    let base = ["_bucket", "_sum", "_count"].first { name.hasSuffix($0) }
                        .map { String(name.dropLast($0.count)) }
                    let isThere = kinds[name] != nil || base.map { kinds[$0] == "histogram" } ?? false
                    #expect(isThere, "\(name)")
                }
            }
        }

        @Test func `Prometheus scrapes a locked server, reads the rules, and the dashboard's expressions have data`()
            async throws
        {
            let certificates = try Certificates()
            let folder = try TemporaryFolder()
            let made = try ServerProcess.start(["token", "--name", "prometheus", "--role", "read"])
            #expect(try made.waitForExit() == .exited(0))
            let token = made.output.split(separator: "\n").map(String.init)
            try #require(token.count == 2)
            let tokens = try folder.write(
                "tokens.yaml", token[1] + "\n- {name: a, role: admin, sha256: \(Self.hash)}\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: tokens)
            let settings = certificates.settings().merging(["server.tokens_file": tokens]) { $1 }
            try await withWholeServer(settings) { server in
                _ = try folder.write("metrics.token", token[0])
                try FileManager.default.copyItem(
                    atPath: certificates.authority.certificate, toPath: "\(folder.path)/ca.pem")
                _ = try folder.write("alerts.yaml", Self.text("prometheus/alerts.yaml"))
                let example = try Self.text("prometheus/prometheus.yml")
                // A test has not the patience of an operator.
                let file = try folder.write(
                    "prometheus.yml",
                    example.replacing("localhost:8443", with: "\(server.rest)").replacing("15s", with: "1s"))
                let listen = try Endpoint.unused()
                let prometheus = try Command.start([
                    "prometheus", "--config.file=\(file)", "--storage.tsdb.path=\(folder.path)/data",
                    "--web.listen-address=\(listen)", "--log.level=warn",
                ])
                defer { prometheus.signal(SIGKILL) }
                try eventually(within: .seconds(60), "prometheus is ready: \(prometheus.errors)") {
                    (try? HTTPConnection(listen).request("GET", "/-/ready").status) == 200
                }
                let web = try HTTPConnection(listen)
                func value(_ expression: String) throws -> String? {
                    struct Answer: Decodable {
                        struct Content: Decodable {
                            struct Sample: Decodable {}
                            var result: [Sample]
                        }
                        var status: String
                        var data: Content
                    }
                    let allowed = CharacterSet.alphanumerics
                    let query = expression.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
                    let response = try web.request("GET", "/api/v1/query?query=\(query)")
                    guard response.status == 200 else { return nil }
                    let answer: Answer = try response.decoded()
                    return answer.status == "success" && !answer.data.result.isEmpty ? response.text : nil
                }
                try eventually(within: .seconds(60), "it has scraped twice") {
                    _ = try server.ask("www.service.kong")
                    return try value("rate(kong_discovery_dns_queries_total[1m]) > 0") != nil
                }
                let targets = try web.request("GET", "/api/v1/targets").text
                #expect(targets.contains(#""health":"up""#) && targets.contains(#""lastError":"""#), "\(targets)")
                #expect(try value(#"up{job="kong-discovery"} == 1"#) != nil)
                // What has not happened has no rate, and what is not there yet has none either.
                let quiet = ["registry_changes_total", "http_requests_total", "histogram_quantile"]
                for expression in try Self.dashboard().expressions
                where !quiet.contains(where: { expression.contains($0) }) {
                    #expect(try value(expression) != nil, "\(expression)")
                }
                let rules = try web.request("GET", "/api/v1/rules").text
                #expect(rules.contains("KongDiscoveryDown") && !rules.contains(#""health":"err""#), "\(rules)")
                #expect(!rules.contains(#""state":"firing""#), "\(rules)")
            }
        }

        /// Of a token that nobody has.
        private static let hash = String(repeating: "0", count: 64)
    }
}
