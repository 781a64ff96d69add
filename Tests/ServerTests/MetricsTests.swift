import Foundation
import Testing

extension ServerTests {
    /// What `GET /metrics` tells.
    @Suite struct MetricsTests {
        @Test(arguments: StorageKind.allCases)
        func `figures follow what happens, and promtool finds nothing to complain of`(storage: StorageKind) async throws
        {
            let settings = [
                "dns.upstream.servers": "127.0.0.1:9", "storage.type": storage.rawValue, "metrics.per_service": "true",
                "storage.sqlite.path": "metrics-\(UInt64.random(in: 0 ... .max)).db",
            ]
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                let web = try rest.register(Registration("web", "10.0.0.1", tags: ["a"]))
                try rest.register(Registration("web", "10.0.0.2"))
                let gone = try rest.register(Registration("gone", "10.0.0.3"))
                try rest.deregister(gone.id)
                try rest.patch(web.id, #"{"draining":true}"#)
                #expect(try rest.request("PUT", "/api/v1/services/\(web.id)/heartbeat").status == 200)
                #expect(try rest.request("PUT", "/api/v1/services/nobody/heartbeat").status == 404)
                let ids = #"{"ids":["\#(web.id)","nobody","\#(web.id)"]}"#
                #expect(try rest.request("POST", "/api/v1/heartbeats", ids).status == 200)
                for _ in 0..<5 { _ = try server.ask("web.service.kong") }
                _ = try server.ask("web.service.kong", .srv, over: .tcp)
                _ = try server.ask("none.service.kong")

                let response = try rest.request("GET", "/metrics")
                #expect(response.status == 200)
                #expect(response.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
                let metrics = response.text
                for line in [
                    #"dns_queries_total{transport="udp"} 6"#, #"dns_queries_total{transport="tcp"} 1"#,
                    #"dns_responses_total{rcode="NOERROR"} 6"#, #"dns_responses_total{rcode="NXDOMAIN"} 1"#,
                    #"registry_instances{status="passing"} 1"#, #"registry_instances{status="draining"} 1"#,
                    #"service_instances{service="web",status="passing"} 1"#, "registry_services 1",
                    #"registry_changes_total{event="registered",reason="request"} 3"#,
                    #"registry_changes_total{event="deregistered",reason="request"} 1"#,
                    #"registry_changes_total{event="status",reason="request"} 1"#,
                    #"registry_heartbeats_total{result="renewed"} 2"#,
                    #"registry_heartbeats_total{result="unknown"} 2"#, "storage_commit_seconds_count 5",
                    "zone_publish_seconds_count 5", #"storage_healthy{type="\#(storage.rawValue)"} 1"#, "ready 1",
                    #"registry_brakes{kind="mass_expiry"} 0"#,
                    #"upstream_queries_total{upstream="127.0.0.1:9"} "#, #"dns_query_types_total{type="A"} 6"#,
                    #"dns_query_types_total{type="SRV"} 1"#, #"dns_query_types_total{type="other"} 0"#,
                    #"dns_request_duration_seconds_bucket{source="zone",le="2.5"} "#,
                    #"dns_request_duration_seconds_bucket{source="upstream",le="5e-06"} 0"#,
                    #"dns_request_size_bytes_bucket{le="64.0"} "#, #"dns_response_size_bytes_bucket{le="1232.0"} "#,
                    "query_log_written_total 0", "query_log_dropped_total 0",
                ] {
                    #expect(metrics.contains("\nkong_discovery_\(line)"), "\(line) is not in\n\(metrics)")
                }
                let file = "\(ServerProcess.temporaryFolder)/metrics-\(storage.rawValue).txt"
                try metrics.write(toFile: file, atomically: true, encoding: .utf8)
                #expect(try Command.run("sh", "-c", "promtool check metrics < \(file) 2>&1") == "")
            }
        }

        @Test func `requests are counted by endpoint and code, and whoever waits makes none look slow`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let id = try rest.register(Registration("web", "10.0.0.1")).id
                for path in ["services/\(id)", "services/nobody", "services?limit=0", "services", "nowhere"] {
                    _ = try rest.request("GET", "/api/v1/\(path)")
                }
                #expect(try rest.request("PUT", "/ready").status == 405)
                #expect(try rest.request("GET", "/api/v1/services?index=1&wait=100ms").status == 200)
                let events = try HTTPConnection(server.rest)
                try events.send("GET", "/api/v1/events")
                #expect(events.socket.isReadable(within: 10_000))
                let bad = try HTTPConnection(server.rest)
                try bad.send(raw: "no HTTP\r\n\r\n")
                #expect(try bad.receive().status == 400)
                let metrics = try rest.request("GET", "/metrics").text
                for line in [
                    #"requests_total{endpoint="POST /api/v1/services",code="201"} 1"#,
                    #"requests_total{endpoint="GET /api/v1/services/{id}",code="200"} 1"#,
                    #"requests_total{endpoint="GET /api/v1/services/{id}",code="404"} 1"#,
                    #"requests_total{endpoint="GET /api/v1/services",code="200"} 2"#,
                    #"requests_total{endpoint="GET /api/v1/services",code="422"} 1"#,
                    #"requests_total{endpoint="GET /api/v1/events",code="200"} 1"#,
                    #"requests_total{endpoint="other",code="404"} 1"#,
                    #"requests_total{endpoint="other",code="405"} 1"#,
                    #"requests_total{endpoint="other",code="400"} 1"#,
                    #"request_duration_seconds_count{endpoint="GET /api/v1/services"} 2"#,
                    #"request_duration_seconds_count{endpoint="POST /api/v1/services"} 1"#,
                    #"connections_limited_total{action="evicted"} 0"#, "connections_accepted_total 3",
                ] {
                    #expect(metrics.contains("\nkong_discovery_http_\(line)\n"), "\(line) is not in\n\(metrics)")
                }
                #expect(!metrics.contains(#"duration_seconds_count{endpoint="GET /api/v1/events"}"#))
                _ = try rest.request("GET", "/metrics")
                #expect(
                    try rest.request("GET", "/metrics").text.contains(
                        #"http_requests_total{endpoint="GET /metrics",code="200"} 2"#))
            }
        }

        @Test func `connections that give way are counted`() async throws {
            try await withServer(["server.max_connections": "2"]) { server in
                let rest = try HTTPConnection(server.rest)
                #expect(try rest.request("GET", "/healthz").status == 200)
                let others = try (0..<3).map { _ in try HTTPConnection(server.rest) }
                try eventually("two have given way") {
                    try rest.request("GET", "/metrics").text.contains(
                        #"http_connections_limited_total{action="evicted"} 2"#)
                }
                #expect(try rest.request("GET", "/metrics").text.contains("kong_discovery_http_connections 2\n"))
                withExtendedLifetime(others) {}
            }
        }

        @Test func `runs of checks are counted by type and result`() async throws {
            try await withServer { target in
                try await withServer { server in
                    let rest = try HTTPConnection(server.rest)
                    let checks = #"{"name":"web","type":"http","path":"/healthz","interval":"1s"}"#
                    let body = """
                        {"name":"orders","ip":"127.0.0.1","port":\(target.rest.port),"checks":[\(checks),
                        {"name":"port","type":"tcp","port":9,"interval":"1s","timeout":"300ms"}]}
                        """
                    #expect(try rest.request("POST", "/api/v1/services", body).status == 201)
                    func figure(_ name: String) throws -> Int {
                        let lines = try rest.request("GET", "/metrics").text.split(separator: "\n")
                        let line = lines.first { $0.hasPrefix("kong_discovery_\(name) ") }
                        return try Int(#require(line?.split(separator: " ").last, "\(name)")) ?? 0
                    }
                    try eventually("both have run") {
                        try figure(#"check_runs_total{type="http",result="success"}"#) > 1
                            && figure(#"check_runs_total{type="tcp",result="failure"}"#) > 1
                    }
                    #expect(try figure(#"check_runs_total{type="http",result="failure"}"#) == 0)
                    #expect(try figure(#"check_runs_total{type="grpc",result="success"}"#) == 0)
                    #expect(try figure(#"check_duration_seconds_count{type="http"}"#) > 1)
                }
            }
        }

        @Test func `a scrape tells of tokens and TLS, and of their failures`() async throws {
            let certificates = try Certificates()
            let folder = try TemporaryFolder()
            let made = try ServerProcess.start(["token", "--name", "prometheus", "--role", "read"])
            #expect(try made.waitForExit() == .exited(0))
            let output = made.output.split(separator: "\n").map(String.init)
            try #require(output.count == 2)
            let tokens = try folder.write("tokens.yaml", output[1] + "\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: tokens)
            let settings = certificates.settings().merging(["server.tokens_file": tokens]) { $1 }
            func end(of identity: Certificates.Identity, as name: String) throws -> String {
                let date = "openssl x509 -noout -enddate -in \(identity.certificate) | cut -d= -f2"
                let seconds = try Command.run("sh", "-c", "date +%s -d \"$(\(date))\"")
                let metric = "kong_discovery_tls_certificate_not_after_timestamp_seconds"
                return "\(metric){certificate=\"\(name)\"} \(seconds)"
            }
            try await withServer(settings) { server in
                let plain = try HTTPConnection(server.rest)
                #expect(try plain.request("GET", "/metrics").status == 400)
                func scrape(_ token: String?) throws -> String {
                    let fields = token.map { ["-H", "Authorization: Bearer \($0)"] } ?? []
                    return try Command.run(
                        ["curl", "-sS", "--cacert", certificates.authority.certificate] + fields
                            + ["https://127.0.0.1:\(server.rest.port)/metrics"])
                }
                #expect(try scrape(nil).contains("a bearer token is needed"))
                #expect(try scrape("wrong").contains("unknown"))
                let metrics = try scrape(output[0])
                for line in [
                    #"http_unauthorized_total{reason="missing"} 1"#, #"http_unauthorized_total{reason="unknown"} 1"#,
                    #"http_forbidden_total{reason="role"} 0"#, #"tls_handshake_failures_total{reason="plain_http"} 1"#,
                    #"http_requests_total{endpoint="GET /metrics",code="401"} 2"#,
                ] {
                    #expect(metrics.contains("\nkong_discovery_\(line)\n"), "\(line) is not in\n\(metrics)")
                }
                #expect(try metrics.contains(end(of: certificates.server, as: "server")))
                #expect(!metrics.contains(#"certificate="client_ca""#))
            }
            try await withServer(certificates.settings(isMutual: true)) { server in
                let client = certificates.client
                let metrics = try Command.run(
                    "curl", "-sS", "--cacert", certificates.authority.certificate, "--cert", client.certificate,
                    "--key", client.key, "https://127.0.0.1:\(server.rest.port)/metrics")
                #expect(try metrics.contains(end(of: certificates.authority, as: "client_ca")))
            }
        }

        enum StorageKind: String, CaseIterable {
            case memory, sqlite
        }
    }
}
