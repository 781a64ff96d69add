import Foundation
import Testing

extension TimedTests {
    /// What `GET /api/v1/sd/prometheus` is for: a real Prometheus that scrapes what is registered.
    @Suite struct TargetTests {
        private static let path = "/api/v1/sd/prometheus"

        /// A Prometheus as docs/monitoring.md says it is set up.
        private static func configuration(_ server: Endpoint) -> String {
            """
            global: {scrape_interval: 1s}
            scrape_configs:
              - job_name: services
                http_sd_configs:
                  - url: http://\(server)\(path)?tag=metrics
                    refresh_interval: 1s
                relabel_configs:
                  - source_labels: [__meta_kong_discovery_status]
                    regex: passing|warning
                    action: keep
                  - source_labels: [__meta_kong_discovery_service]
                    target_label: service

            """
        }

        private struct Targets: Decodable {
            struct Target: Decodable {
                var labels: [String: String]?
                var discoveredLabels: [String: String]
                var health: String?
            }

            struct Both: Decodable {
                var activeTargets: [Target]
                var droppedTargets: [Target]
            }

            var data: Both
        }

        @Test func `a real Prometheus scrapes the services that are registered, as long as they are`() async throws {
            let folder = try TemporaryFolder()
            let web = try Endpoint.unused()
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                func own(_ name: String, _ endpoint: Endpoint, _ tags: [String] = ["metrics"]) -> Registration {
                    Registration(
                        name, endpoint.host, port: Int(endpoint.port), tags: tags, metadata: ["team-x": "core"])
                }
                try rest.register(own("discovery", server.rest))
                let prometheus = try rest.register(own("prometheus", web))
                try rest.register(own("other", server.dns[0], ["dns"]))
                let drained = try rest.register(Registration("drained", "10.0.0.1", tags: ["metrics"]))
                try rest.patch(drained.id, #"{"draining":true}"#)

                let file = try folder.write("prometheus.yml", Self.configuration(server.rest))
                try Command.run("promtool", "check", "config", file)
                let process = try Command.start(
                    [
                        "prometheus", "--config.file", file, "--storage.tsdb.path", "\(folder.path)/data",
                        "--web.listen-address", "\(web)",
                    ], folder: folder.path)
                defer { try? process.end() }
                func targets() throws -> Targets.Both? {
                    guard let connection = try? HTTPConnection(web) else { return nil }
                    let response = try connection.request("GET", "/api/v1/targets")
                    return response.status == 200 ? try response.decoded(as: Targets.self).data : nil
                }
                var last: Targets.Both?
                func services() -> [String] {
                    let up = (last?.activeTargets ?? []).filter { $0.health == "up" }
                    return up.compactMap { $0.labels?["service"] }.sorted()
                }
                try eventually(within: .seconds(60), "scraped: \(last as Any); \(process.errors)") {
                    last = try targets()
                    return services() == ["discovery", "prometheus"]
                }
                #expect(last?.activeTargets.count == 2)
                let dropped = last?.droppedTargets.map { $0.discoveredLabels["__meta_kong_discovery_service"] }
                #expect(dropped == ["drained"])
                let labels = last?.activeTargets.first { $0.labels?["service"] == "discovery" }?.discoveredLabels ?? [:]
                #expect(labels["__address__"] == "\(server.rest)")
                #expect(labels["__meta_kong_discovery_metadata_team_x"] == "core")
                #expect(labels["__meta_kong_discovery_tags"] == ",metrics,")
                try rest.deregister(prometheus.id)
                try eventually(within: .seconds(60), "it is forgotten: \(last as Any)") {
                    last = try targets()
                    return services() == ["discovery"] && last?.activeTargets.count == 1
                }
            }
        }

        @Test func `a long list comes whole, at its reader's pace, and to so many readers at once`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                // Each character takes six octets in JSON: 30 MB in all.
                let metadata = ["k": String(repeating: "\u{1}", count: 16 * 1024 - 1)]
                for batch in 0..<3 {
                    let instances = (0..<100).map {
                        Registration("big", "10.1.\(batch).\($0)", metadata: metadata)
                    }
                    #expect(try rest.batch(register: instances).count == 100)
                }
                // NIO would end a body that is not there with a chunk, which the next answer would begin with.
                for path in [Self.path, "/api/v1/events"] {
                    let connection = try HTTPConnection(server.rest)
                    let response = try connection.request("HEAD", path)
                    #expect(response.status == 200 && response.fields["transfer-encoding"] == "chunked")
                    #expect(try connection.isClosedByServer(), "\(path)")
                }
                let readers = try (0..<16).map { _ in try HTTPConnection(server.rest) }
                for reader in readers { try reader.send("GET", Self.path) }
                try eventually("one more reader is refused") {
                    try HTTPConnection(server.rest).firstStatus(Self.path) == 503
                }
                // Neither changes nor other readers wait for those who read nothing.
                try rest.register(Registration("late", "10.2.0.1"))
                #expect(try server.ask("late.service.kong").texts == ["10.2.0.1"])
                #expect(try server.residentOctets() < 300 << 20)
                let answer = try readers[0].receive()
                #expect(answer.status == 200 && answer.body.count > 25 << 20)
                let groups = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [[String: Any]]
                let ids = (groups ?? []).compactMap { $0["targets"] as? [String] }
                #expect(Set(ids).count == ids.count && Set(ids).count >= 300)
                try eventually("its place is free again") {
                    try HTTPConnection(server.rest).firstStatus(Self.path) == 200
                }
            }
        }
    }
}

extension HTTPConnection {
    /// The status of the answer to a GET; the rest is not read.
    fileprivate func firstStatus(_ path: String) throws -> Int? {
        try send("GET", path)
        var head = ""
        while !head.contains("\r\n") { head += String(decoding: try socket.receive(), as: UTF8.self) }
        return head.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}
