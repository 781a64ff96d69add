import Foundation
import Testing

extension ServerTests {
    /// `kong-discovery services import` from files, and from a real etcd.
    @Suite struct ImportCommandTests {
        @Test func `every refused item is named with its line, and all others are registered`() async throws {
            let folder = try TemporaryFolder()
            let json = try folder.write(
                "some.json",
                """
                {"name":"web","ip":"10.0.0.1","port":80}
                {"name":"w_b","ip":"10.0.0.2","port":0}
                {"name":"web","ip":"10.0.0.3","port":80,"colour":"red"}
                not json
                """)
            let csv = try folder.write(
                "some.csv", "name,ip,port,tags\nweb,10.0.0.4,80,blue eu\nweb,10.0.0.5,eighty,\nweb,10.0.0.6\n")
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                for option in [["--dry-run"], []] {
                    let result = try run.run(["services", "import", json] + option)
                    #expect(result.status == .exited(1))
                    #expect(result.errors.contains("\(json): line 2 (w_b): name must be a DNS label"))
                    #expect(result.errors.contains("port must be from 1 to 65535"))
                    #expect(result.errors.contains("\(json): line 3 (web): colour unknown field"))
                    #expect(result.errors.contains("\(json): line 4: expected an array or an object"))
                    #expect(try run("services", "list").lines.isEmpty == !option.isEmpty)
                }
                let result = try run("services", "import", csv, "--json")
                #expect(result.status == .exited(1) && result.errorLines.count == 2, "\(result)")
                #expect(result.errorLines[0].hasPrefix("\(csv): line 3 (web): port must be"))
                #expect(result.errorLines[1].hasPrefix("\(csv): line 4: has 2 fields"))
                let counts = #"{"dry_run":false,"registered":1,"replaced":0,"refused":2,"left_out":0}"#
                #expect(result.output == counts + "\n")
                #expect(try run("services", "list", "--tag", "eu").lines.count == 2)
            }
        }

        @Test func `standard input, other formats, and what can't be told`() async throws {
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                let consul =
                    #"[{"Node":"n","Address":"10.0.0.7","ServiceName":"web","ServiceAddress":"","ServicePort":80}]"#
                let piped = try run.shell("echo '\(consul)' | $KONG_DISCOVERY services import -")
                #expect(piped.output == "1 registered, 0 replaced, 0 refused\n" && piped.isDone)
                let instance = try run("services", "list", "--name", "web", "--json").output
                #expect(instance.contains(#""ip":"10.0.0.7""#) && instance.contains(#""ttl":0"#))
                let nothing = try run("services", "import", "/dev/null")
                #expect(nothing.output == "0 registered, 0 replaced, 0 refused\n")
                let text = try run.shell("echo hello | $KONG_DISCOVERY services import -")
                #expect(text.status == .exited(1) && text.errors.contains("--format"))
                let wrong = try run.shell("echo '\(consul)' | $KONG_DISCOVERY services import - --format json")
                #expect(wrong.status == .exited(1) && wrong.errors.contains("line 1"))
            }
        }

        @Test func `many instances are registered in batches`() async throws {
            let folder = try TemporaryFolder()
            let lines = (0..<5000).map { #"{"name":"s\#($0 % 9)","ip":"10.2.\#($0 / 250).\#($0 % 250)","port":80}"# }
            let file = try folder.write("many.json", "[" + lines.joined(separator: ",\n") + "]")
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                #expect(try run("services", "import", file).output == "5000 registered, 0 replaced, 0 refused\n")
                let status = try HTTPConnection(server.rest).request("GET", "/api/v1/status").text
                #expect(status.contains(#""instances":{"total":5000,"#))
                // On a terminal it is shown how far it is.
                let shown = try run.shell("script -qefc \"$KONG_DISCOVERY services import \(file)\" /dev/null")
                #expect(shown.output.contains("\r\u{1B}[K0 registered, 2000 replaced, 0 refused …"), "\(shown)")
                #expect(shown.output.contains("0 registered, 5000 replaced, 0 refused\r\n"))
            }
        }

        @Test func `CoreDNS' tree is read from etcd`() async throws {
            let etcd = try EtcdProcess.started()
            let client = etcd.client
            for (key, value) in [
                ("local/cluster/orders/x1", #"{"host":"10.0.0.1","port":8080,"priority":2,"weight":20,"ttl":60}"#),
                ("local/cluster/orders/blue/x2", #"{"host":"10.0.0.2","port":8081}"#),
                ("local/cluster/billing/x1", #"{"host":"fd00::1"}"#), ("local/other/x1", #"{"host":"10.0.0.3"}"#),
            ] { try client.put("/skydns/\(key)", Array(value.utf8)) }
            // More than a page.
            for number in 0..<1200 {
                let value = #"{"host":"10.3.\#(number / 250).\#(number % 250)","port":80}"#
                try client.put("/skydns/local/cluster/many/x\(number)", Array(value.utf8))
            }
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                let tree = ["services", "import", "--skydns", "http://\(etcd.endpoint)", "--zone", "cluster.local"]
                let preview = try run.run(tree + ["--dry-run"])
                #expect(preview.status == .exited(1))
                #expect(preview.lines.last == "1202 would be registered, 0 replaced, 1 refused, 1 left out")
                #expect(preview.output.contains("/skydns/local/cluster/orders/x1: register orders 10.0.0.1:8080"))
                #expect(preview.errors.contains("/skydns/local/cluster/billing/x1: has no port: --port says one"))
                #expect(try run("services", "list").lines.isEmpty)
                let done = try run.run(tree + ["--port", "53"])
                #expect(done.output == "1203 registered, 0 replaced, 0 refused, 1 left out\n", "\(done)")
                #expect(done.status == .exited(0))
                #expect(try server.ask("blue.orders.service.kong").texts == ["10.0.0.2"])
                let billing = try run("services", "list", "--name", "billing").output
                #expect(billing.contains("[fd00::1]:53"))
                let orders = try run("services", "list", "--name", "orders", "--json").output
                #expect(orders.contains(#""priority":2,"ttl":0,"dns_ttl":60"#))
                let away = try run("services", "import", "--skydns", "http://127.0.0.1:1", "--zone", "a.b")
                #expect(away.status == .exited(1) && away.errors.hasPrefix("http://127.0.0.1:1: cannot connect"))
                let wrong = try run("services", "import", "--skydns", "http://\(server.rest)", "--zone", "a.b")
                #expect(wrong.status == .exited(1) && wrong.errors.contains("404"))
            }
        }
    }
}
