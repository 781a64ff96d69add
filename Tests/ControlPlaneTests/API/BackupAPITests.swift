import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import ControlPlane

/// `GET /api/v1/backup` and `POST /api/v1/restore`, without sockets.
@Suite struct BackupAPITests {
    private let api = TestAPI()

    private func head(
        _ method: HTTPRequest.Method, _ path: String, _ fields: [(String, String)] = []
    ) -> RequestHead {
        var head = RequestHead(method: method, target: path, arrival: api.test.clock.now, client: .v4(0x7F00_0001))
        head.fields = HTTPHeaders([("Host", "localhost")] + fields)
        return head
    }

    /// Makes a backup.
    ///
    /// - Parameter onPart: is called after each part, before the next is made.
    private func backup(
        _ api: TestAPI, onPart: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> BackupText {
        let resolved = try api.handler.resolve(head(.get, "/api/v1/backup")).get()
        let response = await resolved.respond(ByteBuffer())
        #expect(response.status == .ok && response.contentType == "application/x-ndjson")
        let octets = Mutex<[UInt8]>([])
        try await response.stream?.run(
            StreamedBody.Writer { parts in
                octets.withLock { octets in for part in parts { octets += Array(part.readableBytesView) } }
                try await onPart()
            })
        return BackupText(octets: octets.withLock { $0 })
    }

    private func restore(
        _ api: TestAPI, _ backup: BackupText, query: String = "", contentType: String = "application/x-ndjson"
    ) async throws -> TestAPI.Answer {
        try await api.send(.post, "/api/v1/restore" + query, backup.text, contentType: contentType)
    }

    private func limits(_ set: (inout Configuration.RegistryLimits) -> Void) -> Configuration.RegistryLimits {
        var limits = Configuration.RegistryLimits()
        set(&limits)
        return limits
    }

    /// All but the lines that have a time and the check sum.
    private func content(_ backup: BackupText) -> [String] { Array(backup.lines.dropFirst().dropLast()) }

    @Test func `what is restored is what was backed up, and each has a whole ttl`() async throws {
        let given = BackupText.of(BackupText.everything, policies: BackupText.policies)
        try await api.test.running {
            let answer = try await restore(api, given)
            #expect(answer.status == 200, "\(answer.json)")
            #expect(answer["instances"] == .integer(5) && answer["policies"] == .integer(2))
            #expect(answer["replaced"] == .integer(0))
            let made = try await backup(api)
            #expect(content(made) == content(given))
            #expect(try BackupContent(made.octets) == BackupContent(given.octets))
            // DNS answers it: the first one is draining, the second critical.
            #expect(api.test.zone.addresses("orders").isEmpty == false)
            let third = try #require(api.test.registry.instance(id: "i3"))
            #expect(third.lease.deadline == api.test.clock.now.monotonic.advanced(by: .seconds(30)))
            #expect(api.test.registry.instance(id: "i2")?.status == .critical)
            #expect(api.test.registry.instance(id: "i1")?.status == .draining)
        }
    }

    @Test func `a registry that is not empty is refused, unless it is to be merged`() async throws {
        try await api.test.running {
            _ = try await api.test.registry.register(.test("i1", ip: "10.9.9.9"))
            _ = try await api.test.registry.register(.test("own", ip: "10.9.9.8"))
            let given = BackupText.of([.test(1), .test(2)])
            let refused = try await restore(api, given)
            #expect(refused.status == 409)
            #expect(refused["detail"]?.text?.contains("it has 2 instances and 0 policies. With --merge") == true)
            #expect(api.test.registry.instance(id: "i2") == nil)
            #expect(try await restore(api, given, query: "?merge=false").status == 409)
            let merged = try await restore(api, given, query: "?merge=true")
            #expect(merged.status == 200 && merged["replaced"] == .integer(1) && merged["instances"] == .integer(2))
            #expect(Set(api.test.zone.addresses("orders")) == ["10.9.9.8", "10.0.0.1"])
            #expect(try await restore(api, given, query: "?merge=yes").status == 422)
            #expect(try await restore(api, given, query: "?force=true").status == 422)
            // A policy alone is something, too.
            for id in ["i1", "i2", "own"] { _ = try await api.test.registry.deregister(id: id) }
            _ = try await api.test.registry.setPolicy(ServicePolicy(), of: "x")
            #expect(try await restore(api, given).status == 409)
        }
    }

    @Test func `what is damaged, too much, or of another type changes nothing`() async throws {
        let limited = TestAPI(
            limits: limits { ($0.maximumInstances, $0.maximumPerName, $0.maximumNames) = (2, 1, 4) })
        try await limited.test.running {
            let two = BackupText.of([.test(1), .test(2, name: "other")])
            for (backup, type, status, detail) in [
                (BackupText(octets: two.octets.dropLast(3)), nil, 422, "nothing was changed"),
                (BackupText(octets: []), nil, 422, "it is empty"),
                (two, "application/json", 415, "application/x-ndjson"),
                (.of([.test(1), .test(2, name: "b"), .test(3, name: "c")]), nil, 422, "registry.max_instances is 2"),
                (.of([.test(1), .test(2)]), nil, 422, "line 3: the service 'orders' has more instances than"),
                (.of([.test(1, tags: ["a", "b", "c"])]), nil, 422, "line 2: up to here it has more names in DNS"),
            ] as [(BackupText, String?, Int, String)] {
                let answer = try await restore(limited, backup, contentType: type ?? "application/x-ndjson")
                #expect(answer.status == status, "\(answer.json)")
                #expect(answer["detail"]?.text?.contains(detail) == true, "\(answer.json)")
                #expect(limited.test.registry.isEmpty && limited.test.zone.names.isEmpty)
            }
            #expect(try await restore(limited, two).status == 200)
        }
    }

    @Test func `a part that the registry refuses is told exactly, and the same with merge completes it`() async throws {
        // A service has two names: beside one that is there, there is room for one of these.
        let limited = TestAPI(limits: limits { $0.maximumNames = 4 })
        try await limited.test.running {
            _ = try await limited.test.registry.register(.test("own", name: "own"))
            let given = BackupText.of(
                [.test(1), .test(2), .test(3, name: "other"), .test(4)], policies: BackupText.policies)
            let answer = try await restore(limited, given, query: "?merge=true")
            #expect(answer.status == 422)
            let detail = answer["detail"]?.text ?? ""
            #expect(detail.contains("registry.max_names is 4"))
            #expect(detail.contains("3 instances and 2 policies are restored, the rest is not"), "\(detail)")
            #expect(detail.contains("merge=true"))
        }
    }

    @Test func `bounds of a policy do not keep out what was there before them`() async throws {
        var heavy = ServiceInstance.test(1)
        heavy.weight = 100
        let given = BackupText.of([heavy], policies: BackupText.policies)
        try await api.test.running {
            let answer = try await restore(api, given)
            #expect(answer.status == 200)
            #expect(api.test.registry.instance(id: "i1")?.instance.weight == 100)
        }
    }

    @Test func `a backup shows one moment, although everything changes while it is read`() async throws {
        try await api.test.running {
            let registry = api.test.registry
            let many = (1...1000).map { RegistryCommand.register(.test("i\($0)", ip: "10.0.0.\($0 % 250)")) }
            _ = try await registry.submit(many)
            let parts = Mutex(0)
            let made = try await backup(api) {
                let part = parts.withLock { count in
                    count += 1
                    return count
                }
                let changes = stride(from: part, through: 1000, by: 5).map { number in
                    RegistryCommand.patch(id: "i\(number)", InstancePatch(weight: 7))
                }
                _ = try await registry.submit(changes)
                _ = try await registry.deregister(id: "i\(1000 - part)")
                _ = try await registry.register(.test("new\(part)"))
            }
            let instances = try BackupContent(made.octets).instances
            #expect(instances.map(\.id) == (1...1000).map { "i\($0)" })
            #expect(instances.allSatisfy { $0.weight == 100 })
            #expect(parts.withLock { $0 } > 4)
            let later = try BackupContent(try await backup(api).octets).instances
            #expect(later.contains { $0.weight == 7 } && later.contains { $0.id == "new1" })
            #expect(!later.contains { $0.id == "i999" })
        }
    }

    @Test func `one restore and two backups at a time`() async throws {
        try await api.test.running {
            let fields = [("Content-Type", "application/x-ndjson")]
            let resolved = try api.handler.resolve(head(.post, "/api/v1/restore", fields)).get()
            var receiver: (any BodyReceiver)? = try await resolved.receive?().get()
            let given = BackupText.of([.test(1)])
            #expect(await receiver?.take(ByteBuffer(bytes: given.octets.prefix(300))) == nil)
            let second = try await restore(api, given)
            #expect(second.status == 409 && second["detail"]?.text?.contains("another backup") == true)
            // Its sender has gone: nothing has changed, and others may.
            receiver = nil
            #expect(api.test.registry.isEmpty)
            #expect(try await restore(api, given).status == 200)

            var responses: [ServerResponse] = []
            for _ in 0..<2 {
                responses.append(await (try api.handler.resolve(head(.get, "/api/v1/backup")).get()).respond(.init()))
            }
            #expect(responses.allSatisfy { $0.status == .ok })
            let third = await (try api.handler.resolve(head(.get, "/api/v1/backup")).get()).respond(.init())
            #expect(third.status == .serviceUnavailable && third.fields.contains { $0.name == .retryAfter })
            // Whoever asks with HEAD drops it at once.
            responses = []
            #expect(try await backup(api).lines.count == 3)
        }
    }

    @Test func `without room for it nothing is changed`() async throws {
        var api = api
        api.handler.spoolFolders = ["/nonexistent/folder"]
        let handler = api
        try await api.test.running {
            let answer = try await restore(handler, .of([.test(1)]))
            #expect(answer.status == 503 && answer["detail"]?.text?.contains("/nonexistent/folder") == true)
            #expect(handler.test.registry.isEmpty)
        }
    }
}
