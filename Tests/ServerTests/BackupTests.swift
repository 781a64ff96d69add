import Foundation
import Testing

extension TimedTests {
    /// `kong-discovery backup` and `restore` with real servers and storages.
    @Suite struct BackupTests {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        private func runner(_ server: ServerProcess, token: String = "") -> CommandRunner {
            CommandRunner(url: "http://\(server.rest)", token: token)
        }

        private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

        /// The lines of a backup, but those that have a time and the check sum.
        private func content(_ name: String) throws -> [Substring] {
            let text = try String(contentsOf: URL(filePath: path(name)), encoding: .utf8)
            return text.split(separator: "\n").dropFirst().dropLast()
        }

        private func registerEverything(_ server: ServerProcess) throws {
            let rest = try HTTPConnection(server.rest)
            let hostile = [
                "quote \" and \\": "line\nbreak", "\u{1F600}": "</script>", "empty": "", "__proto__": "\u{2028}",
            ]
            try rest.register(
                Registration(
                    "everything", "2001:db8::1", port: 65535, id: "every.thing_1", protocol: "udp",
                    tags: ["blue", "v2"], metadata: hostile, weight: 0, priority: 7, ttl: 3600, dnsTTL: 11))
            for ip in ["10.0.0.3", "10.0.0.1"] { try rest.register(Registration("plain", ip, ttl: 0)) }
            let drained = try rest.register(Registration("plain", "10.0.0.4", ttl: 600)).id
            try rest.patch(drained, #"{"draining":true}"#)
            let checks = #"[{"name":"c","type":"ttl","ttl":"1h"},{"name":"d","type":"ttl","ttl":"1h"}]"#
            let body = #"{"id":"checked","name":"checked","ip":"10.0.0.5","port":80,"ttl":0,"checks":\#(checks)}"#
            #expect(try rest.request("POST", "/api/v1/services", body).status == 201)
            let result = #"{"status":"critical","output":"it \"burns\""}"#
            #expect(try rest.request("PUT", "/api/v1/services/checked/checks/c", result).status == 200)
            for (name, policy) in [("plain", #"{"strategy":"random","dns_ttl":3}"#), ("later", #"{"max_weight":5}"#)] {
                #expect(try rest.request("PUT", "/api/v1/names/\(name)/policy", policy).status == 200)
            }
        }

        @Test func `from memory into SQLite, from there into etcd, and back: nothing is different`() async throws {
            let etcd = try EtcdProcess.started()
            let database = try Database()
            try await withServer { server in
                try registerEverything(server)
                let made = try runner(server)("backup", path("memory"))
                #expect(made.output == "5 instances and 2 policies saved to \(path("memory"))\n" && made.isDone)
                let mode = try FileManager.default.attributesOfItem(atPath: path("memory"))[.posixPermissions]
                #expect(mode as? Int == 0o600)
            }
            for (settings, from, to) in [
                (database.settings, "memory", "sqlite"), (etcd.settings(), "sqlite", "etcd"), ([:], "etcd", "end"),
            ] as [([String: String], String, String)] {
                try await withServer(settings) { server in
                    let run = runner(server)
                    let restored = try run("restore", path(from))
                    #expect(restored.output == "5 instances and 2 policies restored\n" && restored.isDone)
                    #expect(try run("backup", path(to)).isDone)
                    // What it was told is in DNS: the drained one is not, nor the critical one.
                    #expect(try server.addresses("plain") == [["10.0.0.1", "10.0.0.3"]])
                    #expect(try server.ask("plain.service.kong").answers.map(\.ttl) == [3, 3])
                    #expect(try server.ask("checked.service.kong").code == .nameError)
                    #expect(try server.ask("blue.everything.service.kong", .aaaa).texts == ["2001:db8::1"])
                }
                #expect(try content(to) == content("memory"), "\(to)")
            }
            #expect(try content("memory").count == 7)
            // It is durable, too.
            try await withServer(database.settings) { server in
                let made = try runner(server)("backup", path("again"))
                #expect(made.isDone)
                #expect(try server.addresses("plain") == [["10.0.0.1", "10.0.0.3"]])
            }
            #expect(try content("again") == content("memory"))
            // So is it in etcd, where another node finds it.
            try await withServer(etcd.settings()) { server in
                try eventually("all is there") { try HTTPConnection(server.rest).list().count == 5 }
                #expect(try runner(server)("backup", path("node")).isDone)
            }
            #expect(Set(try content("node")) == Set(try content("memory")))
        }

        @Test func `a registry that is not empty, damaged files, and what is no backup`() async throws {
            try await withServer { server in
                let run = runner(server)
                try registerEverything(server)
                #expect(try run("backup", path("whole")).isDone)
                let text = try String(contentsOf: URL(filePath: path("whole")), encoding: .utf8)
                let there = try HTTPConnection(server.rest).list()
                let refused = try run("restore", path("whole"))
                #expect(refused.status == .exited(1) && refused.output.isEmpty)
                #expect(refused.errors.contains("409: the registry is not empty: it has 5 instances and 2 policies"))
                #expect(refused.errors.contains("--merge"))
                _ = try folder.write("cut", String(text.dropLast(120)))
                _ = try folder.write("changed", text.replacing("10.0.0.3", with: "10.0.0.9"))
                _ = try folder.write("newer", text.replacing(#""format_version":1"#, with: #""format_version":9"#))
                _ = try folder.write("empty", "")
                _ = try folder.write("list", #"{"services":[]}"#)
                try Command.run("gzip", "-k", path("whole"))
                for (name, reason) in [
                    ("cut", "it ends after line 7, without the end line"), ("changed", "line 9: the check sum"),
                    ("newer", "line 1: it was written in version 9 of the format by kong-discovery"),
                    ("empty", "it is empty"), ("list", "line 1: this is no backup of kong-discovery"),
                    ("whole.gz", "line 1: it is compressed: restore what 'gunzip' makes"),
                ] {
                    let result = try run("restore", path(name), "--merge")
                    #expect(result.status == .exited(1) && result.output.isEmpty, "\(name): \(result)")
                    #expect(result.errors.contains("422: nothing was changed"), "\(name): \(result.errors)")
                    #expect(result.errors.contains(reason), "\(name): \(result.errors)")
                    #expect(result.errorLines.count == 1)
                    #expect(try HTTPConnection(server.rest).list() == there, "\(name)")
                }
                #expect(try run("restore", path("missing")).errors.contains("No such file"))
                #expect(try run("restore").status == .exited(2))
                #expect(try run("backup", path("missing/file")).errors.contains("No such file"))

                // What is there stays, what is in both becomes what it was.
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("own", "10.0.1.1", id: "own"))
                try rest.patch("every.thing_1", #"{"weight":9,"metadata":{}}"#)
                try rest.deregister("checked")
                let merged = try run.shell("$KONG_DISCOVERY restore - --merge --json < \(path("whole"))")
                #expect(merged.output == #"{"instances":5,"replaced":4,"policies":2}"# + "\n", "\(merged)")
                #expect(Set(try rest.list().map(\.id)) == Set(there.map(\.id) + ["own"]))
                #expect(try rest.list().first == there.first)
                #expect(try server.ask("own.service.kong").texts == ["10.0.1.1"])
            }
        }

        @Test func `standard output, JSON, another file of that name, and progress on a terminal`() async throws {
            try await withServer { server in
                let run = runner(server)
                try registerEverything(server)
                let piped = try run.shell("$KONG_DISCOVERY backup - > \(path("piped"))")
                #expect(piped.status == .exited(0) && piped.errors == "5 instances and 2 policies saved\n")
                _ = try folder.write("old", "something else")
                let json = try run("backup", path("old"), "--json")
                #expect(json.output.contains(#""policies":2,"instances":5,"octets":"#) && json.isDone)
                #expect(try content("old") == content("piped"))
                let checksum = try #require(json.output.firstMatch(of: /"sha256":"([0-9a-f]{64})"/)?.1)
                #expect(try Command.run("head", "-n", "-1", path("old")).isEmpty == false)
                let sum = try Command.run("sh", "-c", "head -n -1 \(path("old")) | sha256sum")
                #expect(sum.hasPrefix(checksum))
                let shown = try run.shell("script -qefc \"$KONG_DISCOVERY backup \(path("t"))\" /dev/null")
                #expect(shown.output.contains("of 5 instances …") && shown.status == .exited(0), "\(shown)")
            }
            // The server is gone: no file is left.
            let away = try CommandRunner(url: "http://127.0.0.1:1")("backup", path("nothing"))
            #expect(away.status == .exited(1) && away.errors.contains("there is no backup"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["old", "piped", "t"])
        }

        @Test func `only an admin may do either`() async throws {
            var lines = ""
            var tokens: [String: String] = [:]
            for role in ["read", "write", "admin"] {
                let made = try CommandRunner(url: "")("token", "--name", role, "--role", role)
                tokens[role] = made.lines.first.map(String.init)
                lines += "\(made.lines.last ?? "")\n"
            }
            let file = try folder.write("tokens.yaml", lines)
            try Command.run("chmod", "600", file)
            try await withServer(["server.tokens_file": file]) { server in
                #expect(try runner(server, token: tokens["admin"] ?? "")("backup", path("b")).isDone)
                for role in ["read", "write"] {
                    let run = runner(server, token: tokens[role] ?? "")
                    for command in ["backup", "restore"] {
                        let result = try run(command, path("b"))
                        #expect(result.status == .exited(1) && result.errors.contains("role admin"), "\(result)")
                    }
                }
                #expect(try runner(server, token: tokens["admin"] ?? "")("restore", path("b")).isDone)
            }
        }

        @Test func `an upload whose sender dies changes nothing, and the next one is taken`() async throws {
            try await withServer { server in
                try registerEverything(server)
                #expect(try runner(server)("backup", path("b")).isDone)
            }
            let octets = try Array(Data(contentsOf: URL(filePath: path("b"))))
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                do {
                    var busy = ""
                    var dying: [HTTPConnection] = []
                    try eventually("it is under way") {
                        // The request below may have come first.
                        let next = try HTTPConnection(server.rest)
                        dying.append(next)
                        try next.send(
                            raw:
                                "POST /api/v1/restore HTTP/1.1\r\nHost: localhost\r\n"
                                + "Content-Type: application/x-ndjson\r\nContent-Length: \(octets.count)\r\n\r\n")
                        // All but the end line's last octets.
                        try next.socket.send(octets.dropLast(9))
                        let answer = try rest.request(
                            "POST", "/api/v1/restore", "", fields: ["Content-Type: application/x-ndjson"])
                        busy = answer.text
                        return answer.status == 409
                    }
                    #expect(busy.contains("another backup is being restored"))
                    withExtendedLifetime(dying) {}
                }
                try eventually("it is over") {
                    try rest.request(
                        "POST", "/api/v1/restore", "", fields: ["Content-Type: application/x-ndjson"]
                    ).status == 422
                }
                #expect(try rest.list().isEmpty)
                #expect(try runner(server)("restore", path("b")).isDone)
                #expect(try rest.list().count == 5)
            }
        }

        @Test func `a server that is killed while it restores has a part, and the same with merge has all`()
            async throws
        {
            let count = 3000
            let items = (0..<count).map { number in
                #"{"id":"i\#(number)","name":"s\#(number % 50)","ip":"10.\#(number >> 16).\#(number >> 8 & 255)."#
                    + #"\#(number & 255)","port":80,"ttl":0,"tags":["a"]}"#
            }
            let file = try folder.write("services.json", "[" + items.joined(separator: ",\n") + "]")
            try await withServer { server in
                let imported = try runner(server)("services", "import", file)
                #expect(imported.isDone)
                #expect(try runner(server)("backup", path("many")).isDone)
            }
            let database = try Database()
            let server = try ServerProcess(database.settings)
            let restoring = try runner(server).start(["restore", path("many")])
            let rest = try HTTPConnection(server.rest)
            try eventually("it has begun") { try rest.request("GET", "/api/v1/services?limit=1").text.contains("i0") }
            try server.kill()
            #expect(try restoring.waitForExit() == .exited(1))
            #expect(restoring.errors.contains("the same with --merge completes it"), "\(restoring.errors)")
            try await withServer(database.settings) { server in
                let run = runner(server)
                #expect(try run("backup", path("part")).isDone)
                let part = try content("part")
                #expect(!part.isEmpty && part.count < count, "\(part.count)")
                let expected = Array(try content("many").prefix(part.count))
                #expect(part == expected)
                #expect(try run("restore", path("many")).errors.contains("--merge"))
                #expect(try run("restore", path("many"), "--merge").isDone)
                #expect(try run("backup", path("all")).isDone)
                #expect(try content("all") == content("many"))
                #expect(try server.ask("a.s7.service.kong", over: .tcp).texts.count == count / 50)
            }
        }
    }
}
