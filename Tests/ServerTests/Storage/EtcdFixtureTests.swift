import Foundation
import Glibc
import Testing

extension StorageTests {
    /// What the tests of etcd rely on, checked without a server.
    @Suite struct EtcdFixtureTests {
        @Test func `a member can be stopped, frozen, wiped and started again`() throws {
            let etcd = try EtcdProcess.started()
            let lease = try etcd.client.grant(seconds: 30)
            for number in 0..<100 { try etcd.client.put("/x/\(number)", "value \(number)".utf8, lease: lease) }
            #expect(try etcd.client.entries("/x/").count == 100)
            #expect(try etcd.client.entries("/x/7").first?.text == "value 7")
            let left = try etcd.client.lease(lease)
            #expect(left.granted == 30 && left.keys.count == 100)
            try etcd.stop()
            #expect(throws: SocketError.self) { try etcd.client.status() }
            try etcd.start()
            #expect(try etcd.client.entries("/x/").count == 100)
            etcd.freeze()
            let waiting = try HTTPConnection(etcd.endpoint)
            try waiting.send("GET", "/health")
            #expect(!waiting.socket.isReadable(within: 300))
            etcd.thaw()
            #expect(try waiting.receive().status == 200)
            try etcd.client.compact()
            try etcd.kill()
            try etcd.wipe()
            try etcd.start()
            #expect(try etcd.client.entries("/x/").isEmpty)
            #expect(try etcd.client.lease(lease).left == -1)
        }

        @Test func `a cluster of three finds another leader`() throws {
            let cluster = try EtcdCluster()
            let leader = try cluster.leader
            try leader.client.put("/x", [1])
            try leader.kill()
            let next = try cluster.leader
            #expect(next.name != leader.name)
            try eventually("it takes changes") { (try? next.client.put("/x", [2])) != nil }
            try cluster.start(leader)
            try eventually("it has caught up") { try leader.client.entries("/x").first?.value == [2] }
        }

        @Test func `the way to etcd can be cut`() throws {
            let etcd = try EtcdProcess.started()
            let proxy = try TCPProxy(to: etcd.endpoint)
            let connection = try HTTPConnection(proxy.endpoint)
            #expect(try connection.request("GET", "/health").status == 200)
            proxy.set(.delay(milliseconds: 100))
            let start = ContinuousClock.now
            #expect(try connection.request("GET", "/health").status == 200)
            #expect(start.duration(to: .now) >= .milliseconds(200))
            proxy.set(.hold)
            try connection.send("GET", "/health")
            let other = try HTTPConnection(proxy.endpoint)
            try other.send("GET", "/health")
            #expect(!connection.socket.isReadable(within: 300) && !other.socket.isReadable())
            proxy.set(.pass)
            #expect(try connection.receive().status == 200)
            #expect(try other.receive().status == 200)
            proxy.set(.close)
            #expect(try connection.isClosedByServer())
            #expect(try HTTPConnection(proxy.endpoint).isClosedByServer())
            proxy.stop()
        }

        @Test func `what present connections carry can be swallowed`() throws {
            let etcd = try EtcdProcess.started()
            let proxy = try TCPProxy(to: etcd.endpoint)
            let connection = try HTTPConnection(proxy.endpoint)
            #expect(try connection.request("GET", "/health").status == 200)
            #expect(proxy.swallowPresentConnections() == 1)
            try connection.send("GET", "/health")
            #expect(!connection.socket.isReadable(within: 300))
            #expect(try HTTPConnection(proxy.endpoint).request("GET", "/health").status == 200)
            proxy.stop()
        }

        @Test func `a program ends with the tests that have started it`() throws {
            // The outer program starts the inner one as the tests start theirs, and is killed.
            let script = "setpriv --pdeathsig KILL sleep 1000 & echo $!; wait"
            let outer = try Command.start(["sh", "-c", script])
            var inner: pid_t = 0
            try eventually("it has started") {
                _ = try outer.hasEnded()
                inner = pid_t(outer.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
                // The inner program is not ready before it is `sleep`: until then nothing would end it.
                let name = try? String(contentsOfFile: "/proc/\(inner)/comm", encoding: .utf8)
                return inner > 0 && name == "sleep\n"
            }
            outer.signal(SIGKILL)
            try eventually("it has ended too") {
                // The process that owns it by now may leave it a zombie.
                let status = try? String(contentsOfFile: "/proc/\(inner)/status", encoding: .utf8)
                return status.map { $0.contains("State:\tZ") } ?? true
            }
        }

        @Test func `TLS requires the client's certificate`() throws {
            let certificates = try Certificates()
            let etcd = try EtcdProcess.started(certificates: certificates)
            try etcd.client.put("/x", [1])
            let url = "https://\(etcd.secureEndpoint)/v3/kv/range"
            let ask = ["curl", "-sf", "-d", #"{"key":"L3g="}"#, "--cacert", certificates.authority.certificate, url]
            let own = ["--cert", certificates.client.certificate, "--key", certificates.client.key]
            #expect(try Command.run(ask + own).contains(#""value":"AQ==""#))
            #expect(throws: Command.Failure.self) { try Command.run(ask) }
        }

        @Test(arguments: [true, false]) func `tokens end`(areSigned: Bool) throws {
            // The calls until then may take a second on a busy machine.
            let etcd = try EtcdProcess.started(tokens: areSigned ? .signed(seconds: 4) : .simple(seconds: 4))
            try etcd.client.enableAuthentication(root: "r", user: "me", password: "p", prefix: "/x/")
            let client = try etcd.client.authenticated("me", "p")
            try client.put("/x/1", [1])
            #expect(throws: EtcdClient.Refused.self) { try client.put("/y", [1]) }
            #expect(throws: EtcdClient.Refused.self) { try etcd.client.put("/x/2", [1]) }
            // Each use prolongs the life of a simple token.
            let isUsed = ContinuousClock.now
            try eventually("the token has ended") { isUsed.duration(to: .now) > .seconds(5.5) }
            #expect(throws: EtcdClient.Refused.self) { try client.put("/x/1", [2]) }
            try etcd.client.authenticated("me", "p").put("/x/1", [3])
        }
    }
}
