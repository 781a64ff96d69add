import Foundation
import Testing

extension StorageTests {
    /// A database that can't be written for a while: writes are refused, and everything else continues.
    @Suite struct SQLiteFaultTests {
        @Test(.enabled(if: SmallDisk.isPossible, "needs the right to mount"))
        func `a full disk refuses writes, and takes them again when there is room`() async throws {
            let disk = try SmallDisk()
            try await fillUp(try Database(in: disk.path)) { room, _ in
                switch room {
                case .little: break
                case .none: try disk.fill()
                case .enough: try disk.makeRoom()
                }
            }
        }

        @Test func `a file that may not grow refuses writes, and takes them again when it may`() async throws {
            try await fillUp(try Database()) { room, server in
                let limit = [Room.little: "500000", .none: "4096"][room] ?? "unlimited"
                // This sets only the soft limit, so that it can be raised again.
                try Command.run("prlimit", "--pid", "\(server.process.identifier)", "--fsize=\(limit):")
            }
        }

        private enum Room { case little, none, enough }

        /// Registers until there is no room, makes room, and kills the server.
        private func fillUp(_ database: Database, _ setRoom: (Room, ServerProcess) throws -> Void) async throws {
            let server = try ServerProcess(database.settings)
            let rest = try HTTPConnection(server.rest)
            try rest.register(Registration("steady", "10.0.0.1", id: "steady"))
            try setRoom(.little, server)
            let watch = try DNSWatch(server, ["steady": ["10.0.0.1"]])

            let text = String(repeating: "x", count: 4000)
            func body(_ number: Int) -> String {
                json(Registration("s\(number)", "10.1.0.1", id: "i\(number)", metadata: ["text": text]))
            }
            var acknowledged: [String] = []
            while true {
                let number = acknowledged.count
                try #require(number < 2000, "it never fills up")
                let response = try rest.request("POST", "/api/v1/services", body(number))
                if response.status == 503 { break }
                try #require(response.status == 201, "\(response.text)")
                acknowledged.append("i\(number)")
            }
            #expect(acknowledged.count > 10)
            // A smaller change may still find room, for example in the space of the attempt that was given up.
            try setRoom(.none, server)
            for weight in 1... {
                try #require(weight < 50, "small changes always find room")
                let change = #"{"weight":\#(weight)}"#
                if try rest.request("PATCH", "/api/v1/services/steady", change).status == 503 { break }
            }
            try rest.expectUnavailable("steady", within: .seconds(3))
            #expect(try rest.request("GET", "/api/v1/services/i\(acknowledged.count)").status == 404)
            #expect(try server.ask("s\(acknowledged.count).service.kong").code == .nameError)
            try Self.expectFailing(rest, database.path)
            try watch.waitForAnswers(100)

            try setRoom(.enough, server)
            let number = acknowledged.count
            try eventually("writes work again") {
                try rest.request("POST", "/api/v1/services", body(number)).status == 201
            }
            acknowledged.append("i\(number)")
            try rest.deregister("i0")
            try Self.expectPassing(rest)
            watch.stop()
            try server.kill()

            try await withServer(database.settings) { server in
                let ids = try HTTPConnection(server.rest).list().map(\.id)
                #expect(ids == ["steady"] + acknowledged.dropFirst())
                #expect(try server.ask("s\(number).service.kong").texts == ["10.1.0.1"])
                #expect(try server.ask("s0.service.kong").code == .nameError)
            }
        }

        @Test(.enabled(if: SmallDisk.isPossible, "needs the right to mount"))
        func `a start on a full disk succeeds or says what is wrong`() throws {
            let disk = try SmallDisk()
            let database = try Database(in: disk.path)
            let first = try ServerProcess(database.settings)
            try HTTPConnection(first.rest).register(Registration("orders", "10.0.0.1"))
            try first.kill()
            try disk.fill()
            let second = try ServerProcess.start(["serve"], database.settings)
            if try second.waitForErrors({ $0.hasSuffix(" ready\n") }) {
                try second.end()
            } else {
                #expect(try second.waitForExit() == .exited(1), "\(second.errors)")
                let lines = second.errors.split(separator: "\n")
                #expect(lines.count == 1 && lines.first?.contains(database.path) == true, "\(lines)")
            }
            try disk.makeRoom()
            let third = try ServerProcess(database.settings)
            #expect(try third.ask("orders.service.kong").texts == ["10.0.0.1"])
            try third.stop()
        }

        @Test func `while another program holds the file writes are refused, and expiry goes on`() async throws {
            let database = try Database()
            try await withServer(database.settings, toleratesErrors: true) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("steady", "10.0.0.1", id: "steady", ttl: 60))
                try rest.register(Registration("short", "10.0.0.2", id: "short", ttl: 1))
                let watch = try DNSWatch(server, ["steady": ["10.0.0.1"]])
                let other = try database.lock()
                // It may take a second for this write, and a second for each search before it.
                try rest.expectUnavailable("steady", within: .seconds(5))
                try Self.expectFailing(rest, database.path)
                try eventually("the short one expires") { try server.ask("short.service.kong").code == .nameError }
                #expect(try rest.heartbeat("short") == 404)
                try watch.waitForAnswers(100)
                try other.end()
                try eventually("the storage is well, without a write") { try rest.storage().health == "pass" }
                try rest.register(Registration("after", "10.0.0.3", id: "after"))
                try Self.expectPassing(rest)
                watch.stop()
            }
            try await withServer(database.settings) { server in
                let ids = try HTTPConnection(server.rest).list().map(\.id)
                #expect(ids == ["steady", "after"])
            }
        }

        @Test(.enabled(if: Immutable.isPossible, "needs chattr, root and a file system that knows it"))
        func `a file that becomes read-only refuses writes, and takes them again`() async throws {
            let database = try Database()
            try await withServer(database.settings, toleratesErrors: true) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("steady", "10.0.0.1", id: "steady"))
                let watch = try DNSWatch(server, ["steady": ["10.0.0.1"]])
                let immutable = try Immutable([database.path, database.path + "-wal"])
                try rest.expectUnavailable("steady", within: .seconds(3))
                try Self.expectFailing(rest, database.path)
                try immutable.undo()
                try eventually("the storage is well, without a write") { try rest.storage().health == "pass" }
                try rest.register(Registration("after", "10.0.0.3", id: "after"))
                watch.stop()
            }
            try await withServer(database.settings) { server in
                let ids = try HTTPConnection(server.rest).list().map(\.id)
                #expect(ids == ["steady", "after"])
            }
        }

        @Test func `a database that is deleted takes no more changes, and says so`() async throws {
            let database = try Database()
            try await withServer(database.settings, toleratesErrors: true) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("steady", "10.0.0.1", id: "steady"))
                for name in try FileManager.default.contentsOfDirectory(atPath: database.folder.path) {
                    try FileManager.default.removeItem(atPath: "\(database.folder.path)/\(name)")
                }
                try rest.expectUnavailable("steady", within: .seconds(3))
                try Self.expectFailing(rest, database.path)
                #expect(try rest.storage().problem?.contains("removed or replaced") == true)
                #expect(try server.ask("steady.service.kong").texts == ["10.0.0.1"])
            }
            // It is noticed without a write too.
            try await withServer(database.settings, toleratesErrors: true) { server in
                let rest = try HTTPConnection(server.rest)
                try FileManager.default.removeItem(atPath: database.path)
                try eventually("it is noticed") { try rest.storage().health == "fail" }
            }
        }

        @Test func `no part of a batch for which there was no room is there after a restart`() async throws {
            let database = try Database()
            let server = try ServerProcess(database.settings)
            let rest = try HTTPConnection(server.rest)
            try rest.register(Registration("steady", "10.0.0.1", id: "steady"))
            try Command.run("prlimit", "--pid", "\(server.process.identifier)", "--fsize=300000:")
            let text = String(repeating: "x", count: 4000)
            let registrations = (0..<200).map {
                Registration("s\($0)", "10.1.0.1", id: "i\($0)", metadata: ["text": text])
            }
            let body = #"{"register":\#(json(registrations))}"#
            #expect(try rest.request("POST", "/api/v1/services/batch", body).status == 503)
            #expect(try rest.list().map(\.id) == ["steady"])
            try server.kill()
            try await withServer(database.settings) { server in
                let ids = try HTTPConnection(server.rest).list().map(\.id)
                #expect(ids == ["steady"])
            }
        }

        private static func expectFailing(_ rest: HTTPConnection, _ path: String) throws {
            let storage = try rest.storage()
            #expect(storage.health == "fail" && storage.problem?.contains(path) == true, "\(storage)")
            let health = try rest.request("GET", "/api/v1/health")
            #expect(health.status == 200 && health.text.contains(#""storage":{"status":"fail",""#), "\(health.text)")
            #expect(health.text.contains(#"{"status":"warn","#))
            #expect(try rest.request("GET", "/healthz").status == 200)
            let ready = try rest.request("GET", "/ready")
            #expect(ready.status == 200 && ready.text.contains(#""storage":{"health":"fail","#), "\(ready.text)")
        }

        private static func expectPassing(_ rest: HTTPConnection) throws {
            let storage = try rest.storage()
            #expect(storage.health == "pass" && storage.problem == nil)
            #expect(try rest.request("GET", "/api/v1/health").text.contains(#""storage":{"status":"pass",""#))
        }
    }
}

/// A file system of one megabyte.
final class SmallDisk {
    private let folder: TemporaryFolder
    /// The path at which it is mounted.
    let path: String
    private var ballast: String { "\(path)/ballast" }

    /// Whether one can be mounted here.
    static let isPossible = (try? SmallDisk()) != nil

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path
        try Command.run("mount", "-t", "tmpfs", "-o", "size=1m", "kong-discovery-test", path)
        // makeRoom() frees this third later.
        try Command.run("dd", "if=/dev/zero", "of=\(ballast)", "bs=1k", "count=300")
    }

    deinit {
        // The unmount is lazy, because a server that a failed test left behind may still have files open.
        _ = Command.works("umount", "-l", path)
    }

    /// Fills it to the last octet.
    func fill() throws {
        // This fails when the disk is full, as it should.
        _ = Command.works("dd", "if=/dev/zero", "of=\(path)/rest", "bs=1k")
    }

    /// Frees room.
    func makeRoom() throws {
        try Command.run("rm", "-f", ballast, "\(path)/rest")
    }
}
