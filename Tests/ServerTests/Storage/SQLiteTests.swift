import Foundation
import Testing

extension StorageTests {
    /// SQLite keeps what was acknowledged.
    @Suite struct SQLiteTests {
        private static func settings(_ folder: TemporaryFolder) -> [String: String] {
            [
                "storage.type": "sqlite", "storage.sqlite.path": "\(folder.path)/registry.db", "dns.workers": "2",
                "heartbeat.cleanup_interval": "200ms",
            ]
        }

        @Test func `every field and the order of the list are there after a restart, and after a kill`() async throws {
            let folder = try TemporaryFolder()
            let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
            var before: [WholeInstance] = []
            try await withServer(Self.settings(folder)) { server in
                let rest = try HTTPConnection(server.rest)
                let metadata = ["zone": "a", "key with \"quotes\" and \u{1F600}": "line\nbreak", "empty": ""]
                try rest.register(
                    Registration(
                        "everything", "2001:db8::1", port: 65535, id: "every.thing_1", protocol: "udp",
                        tags: ["blue", "v2"], metadata: metadata, weight: 0, priority: 7, ttl: 3600, dnsTTL: 11))
                for ip in addresses.reversed() { try rest.register(Registration("plain", ip, ttl: 0)) }
                let drained = try rest.register(Registration("plain", "10.0.0.4", ttl: 60)).id
                try rest.patch(drained, #"{"draining":true}"#)
                try rest.register(Registration("later", "10.0.0.5", id: "replaced", weight: 1))
                try rest.register(Registration("moved", "10.0.0.6", id: "replaced", tags: ["x"], weight: 65535))
                let patched = try rest.register(Registration("patched", "10.0.0.7", id: "a-first-by-name")).id
                try rest.patch(patched, #"{"weight":5,"priority":3,"tags":["green"],"metadata":{"a":"b"}}"#)
                before = try rest.list()
            }
            #expect(before.map(\.name) == ["everything", "plain", "plain", "plain", "plain", "moved", "patched"])
            #expect(before.first?.metadata.count == 3)
            for isKilled in [false, true] {
                let server = try ServerProcess(Self.settings(folder))
                let rest = try HTTPConnection(server.rest)
                #expect(try rest.list() == before)
                #expect(try server.addresses("plain") == [Set(addresses)])
                #expect(try server.ask("everything.service.kong", .aaaa).texts == ["2001:db8::1"])
                let service = try server.ask("_everything._udp.service.kong", .srv)
                #expect(service.texts == ["7 0 65535 20010db8000000000000000000000001.addr.service.kong"])
                #expect(service.answers.map(\.ttl) == [11])
                #expect(try server.ask("green.patched.service.kong").texts == ["10.0.0.7"])
                #expect(try server.ask("later.service.kong").code == .nameError)
                // It is the same instance as before, with its id or without.
                #expect(try rest.register(Registration("plain", "10.0.0.4", ttl: 60)).status == "draining")
                if isKilled { try server.kill() } else { try server.stop() }
            }
        }

        @Test func `what has left stays away, and a new instance comes last`() async throws {
            let folder = try TemporaryFolder()
            try await withServer(Self.settings(folder)) { server in
                let rest = try HTTPConnection(server.rest)
                for id in ["first", "second", "third"] { try rest.register(Registration(id, "10.0.0.1", id: id)) }
                try rest.register(Registration("short", "10.0.0.2", id: "short", ttl: 1))
                try rest.deregister("third")
                #expect(try rest.batch(deregister: ["first"]).map(\.status) == [204])
                try eventually("it expires") { try rest.request("GET", "/api/v1/services/short").status == 404 }
            }
            try await withServer(Self.settings(folder)) { server in
                let rest = try HTTPConnection(server.rest)
                #expect(try rest.list().map(\.id) == ["second"])
                for name in ["first", "third", "short"] {
                    #expect(try server.ask("\(name).service.kong").code == .nameError)
                    #expect(try rest.heartbeat(name) == 404)
                }
                try rest.register(Registration("a", "10.0.0.3", id: "a"))
            }
            try await withServer(Self.settings(folder)) { server in
                let ids = try HTTPConnection(server.rest).list().map(\.id)
                #expect(ids == ["second", "a"])
            }
        }

        @Test func `instances alive at the stop have a whole ttl again, however long the server was away`() async throws
        {
            let folder = try TemporaryFolder()
            let ttl = Duration.seconds(2)
            try await withServer(Self.settings(folder)) { server in
                try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1", id: "a", ttl: 2))
            }
            let stopped = ContinuousClock.now
            try eventually("longer than its ttl") { stopped.duration(to: .now) > ttl }
            let before = ContinuousClock.now
            try await withServer(Self.settings(folder)) { server in
                let rest = try HTTPConnection(server.rest)
                #expect(try server.addresses("orders") == [["10.0.0.1"]])
                let ready = ContinuousClock.now
                try eventually("it expires") { try server.ask("orders.service.kong").code == .nameError }
                #expect(before.duration(to: .now) >= ttl)
                #expect(ready.duration(to: .now) < ttl * 2)
                #expect(try rest.list().isEmpty)
            }
        }

        @Test func `heartbeats are not written`() async throws {
            let folder = try TemporaryFolder()
            try await withServer(Self.settings(folder)) { server in
                let rest = try HTTPConnection(server.rest)
                let ids = (0..<2000).map { "i\($0)" }
                let registrations = ids.enumerated().map { place, id in
                    Registration("s\(place % 100)", "10.0.\(place / 250).\(place % 250)", id: id, ttl: 60)
                }
                #expect(try rest.batch(register: registrations).allSatisfy { $0.status == 201 })
                let before = try Self.state(of: folder)
                #expect(before.contains { $0.hasPrefix("registry.db-wal ") })
                for _ in 0..<5 {
                    let response = try rest.request("POST", "/api/v1/heartbeats", json(["ids": ids]))
                    #expect(response.text == #"{"renewed":2000,"unknown":[]}\#n"#)
                }
                for id in ids.prefix(500) { #expect(try rest.heartbeat(id) == 200) }
                #expect(try Self.state(of: folder) == before)
                try rest.patch("i0", #"{"weight":1}"#)
                #expect(try Self.state(of: folder) != before)
            }
        }

        /// The name, size and last modification time of every file.
        private static func state(of folder: TemporaryFolder) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(name)")
                let time = attributes[.modificationDate] as? Date
                return "\(name) \(attributes[.size] ?? 0) \(time?.timeIntervalSince1970 ?? 0)"
            }
        }

        @Test func `without configuration the database is in the folder data`() async throws {
            let folder = try TemporaryFolder()
            // An empty value counts as not set.
            let defaults = ["storage.type": ""]
            try await withServer(defaults, folder: folder.path) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1"))
                let storage = try rest.storage()
                #expect(storage.type == "sqlite" && storage.health == "pass" && storage.problem == nil)
            }
            #expect(FileManager.default.fileExists(atPath: "\(folder.path)/data/kong-discovery.db"))
            try await withServer(defaults, folder: folder.path) { server in
                let answer = try server.ask("orders.service.kong")
                #expect(answer.texts == ["10.0.0.1"])
            }
        }

        @Test func `many that arrive together are all kept`() async throws {
            let folder = try TemporaryFolder()
            let server = try ServerProcess(Self.settings(folder))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<8 {
                    group.addTask {
                        let rest = try HTTPConnection(server.rest)
                        for host in 0..<50 { try rest.register(Registration("s\(client)", "10.0.\(client).\(host)")) }
                        let more = (50..<250).map { Registration("s\(client)", "10.0.\(client).\($0)") }
                        #expect(try rest.batch(register: more).allSatisfy { $0.status == 201 })
                    }
                }
                try await group.waitForAll()
            }
            try server.kill()
            try await withServer(Self.settings(folder)) { server in
                #expect(try HTTPConnection(server.rest).list().count == 2000)
                for client in 0..<8 {
                    let answer = try server.ask("s\(client).service.kong", over: .tcp)
                    #expect(Set(answer.texts) == Set((0..<250).map { "10.0.\(client).\($0)" }))
                }
            }
        }
    }
}
