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
                    #"upstream_queries_total{upstream="127.0.0.1:9"} "#,
                ] {
                    #expect(metrics.contains("\nkong_discovery_\(line)"), "\(line) is not in\n\(metrics)")
                }
                let file = "\(ServerProcess.temporaryFolder)/metrics-\(storage.rawValue).txt"
                try metrics.write(toFile: file, atomically: true, encoding: .utf8)
                #expect(try Command.run("sh", "-c", "promtool check metrics < \(file) 2>&1") == "")
            }
        }

        enum StorageKind: String, CaseIterable {
            case memory, sqlite
        }
    }
}
