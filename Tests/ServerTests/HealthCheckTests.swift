import Foundation
import Testing

extension TimedTests {
    /// Health checks with real targets: other servers of this program, which can be stopped and go on.
    @Suite struct HealthCheckTests {
        private struct Shown: Decodable {
            struct Check: Decodable {
                var status: String
                var output: String
            }
            var status: String
            var checks: [Check]
        }
        private struct Status: Decodable {
            struct Checks: Decodable {
                var instancesHere: Int
                var nodes: Int

                private enum CodingKeys: String, CodingKey {
                    case instancesHere = "instances_here"
                    case nodes
                }
            }
            var checks: Checks
        }

        /// An instance of `orders` that stands for a server.
        private func registration(_ id: String, _ target: ServerProcess, _ more: String = "") -> String {
            let check = """
                {"name":"web","type":"http","path":"/healthz","interval":"1s","timeout":"300ms","fall":2,"rise":1\(more)}
                """
            return """
                {"id":"\(id)","name":"orders","ip":"127.0.0.1","port":\(target.rest.port),"ttl":0,"checks":[\(check)]}
                """
        }

        private func shown(_ rest: HTTPConnection, _ id: String) throws -> Shown {
            try rest.request("GET", "/api/v1/services/\(id)").decoded()
        }

        private func ports(_ server: ServerProcess) throws -> Set<UInt16> {
            let answer = try server.ask("orders.service.kong", .srv)
            return Set(answer.texts.compactMap { $0.split(separator: " ").dropFirst(2).first.flatMap { UInt16($0) } })
        }

        @Test func `an instance that does not answer any more leaves DNS, also for a restart, and comes back`()
            async throws
        {
            let folder = try TemporaryFolder()
            let targets = try (0..<3).map { _ in try ServerProcess() }
            let settings = ["storage.type": "sqlite", "storage.sqlite.path": folder.path + "/kd.db"]
            var server = try ServerProcess(settings)
            var rest = try HTTPConnection(server.rest)
            for (number, target) in targets.enumerated() {
                let body = registration("o\(number)", target)
                #expect(try rest.request("POST", "/api/v1/services", body).status == 201)
            }
            let all = Set(targets.map(\.rest.port))
            #expect(try ports(server) == all)
            targets[1].process.signal(SIGSTOP)
            try eventually("it has left DNS") { try ports(server) == all.subtracting([targets[1].rest.port]) }
            let dead = try shown(rest, "o1")
            #expect(dead.status == "critical" && dead.checks.first?.output == "no answer within 300ms")
            try server.waitForLog("instance has another status")

            try server.kill()
            server = try ServerProcess(settings)
            rest = try HTTPConnection(server.rest)
            #expect(try ports(server) == all.subtracting([targets[1].rest.port]))
            targets[1].process.signal(SIGCONT)
            try eventually("it is back") { try ports(server) == all }

            // What a client reports holds until the next own result.
            let report = #"{"status":"critical","output":"seen by Kong"}"#
            #expect(try rest.request("PUT", "/api/v1/services/o2/checks/web", report).status == 200)
            try eventually("its own result counts again") { try shown(rest, "o2").status == "passing" }
            try server.waitForLog(#"output="seen by Kong""#)
            for target in targets { try target.stop() }
            try server.stop()
        }

        @Test func `an instance that is critical for too long is removed, with a line in the log`() async throws {
            let target = try ServerProcess()
            let server = try ServerProcess()
            let rest = try HTTPConnection(server.rest)
            let body = registration("o1", target, #","deregister_after":"2s""#)
            #expect(try rest.request("POST", "/api/v1/services", body).status == 201)
            try target.stop()
            try eventually("it is removed") { try rest.request("GET", "/api/v1/services/o1").status == 404 }
            try server.waitForLog("instance deregistered")
            let line = try #require(server.logLines.first { $0.contains("instance deregistered") })
            #expect(line.contains(#"output="connection refused""#) && line.contains(#"reason="check web""#))
            try server.stop()
        }

        @Test func `a node that is killed hands its checks over, and a report reaches the node that checks`()
            async throws
        {
            let etcd = try EtcdProcess.started()
            let targets = try (0..<2).map { _ in try ServerProcess() }
            let nodes = try (0..<2).map { _ in try ServerProcess(etcd.settings()) }
            let connections = try nodes.map { try HTTPConnection($0.rest) }
            func checks(_ number: Int) throws -> Status.Checks {
                try connections[number].request("GET", "/api/v1/status").decoded(as: Status.self).checks
            }
            for number in 0..<12 {
                let body = registration("o\(number)", targets[number % 2])
                #expect(try connections[number % 2].request("POST", "/api/v1/services", body).status == 201)
            }
            let job =
                #"{"id":"job","name":"job","ip":"10.0.0.1","port":1,"ttl":0,"checks":[{"name":"run","type":"ttl","ttl":"3s"}]}"#
            #expect(try connections[0].request("POST", "/api/v1/services", job).status == 201)
            try eventually("they share the checks") {
                let (first, second) = (try checks(0), try checks(1))
                return first.nodes == 2 && second.nodes == 2 && first.instancesHere + second.instancesHere == 13
                    && first.instancesHere < 13
            }
            // Whichever node checks it hears of reports to the other, though they change nothing.
            for round in 0..<10 {
                let path = "/api/v1/services/job/checks/run"
                #expect(try connections[1].request("PUT", path, #"{"status":"passing"}"#).status == 200)
                usleep(500_000)
                #expect(try nodes[0].ask("job.service.kong").code == .noError, "round \(round)")
            }
            try nodes[1].kill()
            try eventually("the other checks all") { try checks(0).instancesHere == 13 }
            targets[0].process.signal(SIGSTOP)
            try eventually("its instances leave DNS") { try ports(nodes[0]) == [targets[1].rest.port] }
            targets[0].process.signal(SIGCONT)
            try eventually("they are back") { try ports(nodes[0]) == Set(targets.map(\.rest.port)) }
            try nodes[0].stop()
            for target in targets { try target.stop() }
        }
    }
}
