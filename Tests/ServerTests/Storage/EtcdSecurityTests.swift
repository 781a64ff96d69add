import Foundation
import Testing

extension StorageTests {
    /// TLS and passwords between a node and etcd.
    @Suite struct EtcdSecurityTests {
        @Test func `TLS with a client's certificate`() async throws {
            let certificates = try Certificates()
            let etcd = try EtcdProcess.started(certificates: certificates)
            try await withNodes([Self.settings(etcd, certificates)]) { nodes in
                try nodes[0].expectWell()
                // Both ways work: the watch, and changes.
                try etcd.client.delete("/kong-discovery/v1/services/")
                try nodes[0].waitForAddresses("well", [])
            }
        }

        private static func settings(_ etcd: EtcdProcess, _ certificates: Certificates) -> [String: String] {
            etcd.settings().merging([
                "storage.etcd.endpoints": "https://\(etcd.secureEndpoint)",
                "storage.etcd.ca": certificates.authority.certificate,
                "storage.etcd.certificate": certificates.client.certificate,
                "storage.etcd.key": certificates.client.key,
            ]) { $1 }
        }

        enum Mistake: CaseIterable { case otherAuthority, noCertificate, plainText }

        @Test(arguments: Mistake.allCases)
        func `an untrusted connection is reported, and nothing is served`(mistake: Mistake) throws {
            let certificates = try Certificates()
            let etcd = try EtcdProcess.started(certificates: certificates)
            var settings = Self.settings(etcd, certificates)
            let others = try Certificates()
            switch mistake {
            case .otherAuthority: settings["storage.etcd.ca"] = others.authority.certificate
            case .noCertificate:
                settings["storage.etcd.certificate"] = ""
                settings["storage.etcd.key"] = ""
            case .plainText: settings["storage.etcd.endpoints"] = "http://\(etcd.secureEndpoint)"
            }
            let server = try ServerProcess(settings, until: .restListens)
            try Self.expectRefused(server, "\(etcd.secureEndpoint)")
            try server.stop()
        }

        /// Waits for a log line that names the endpoint, and checks that nothing is served.
        private static func expectRefused(_ server: ServerProcess, _ endpoint: String) throws {
            try server.waitForLog(endpoint)
            let rest = try HTTPConnection(server.rest)
            let storage = try rest.storage()
            #expect(storage.health == "fail" && storage.problem?.isEmpty == false)
            #expect(try rest.request("GET", "/ready").status == 503)
            // It is reported once, not with every attempt.
            #expect(server.logLines.count { $0.contains(endpoint) } < 4)
        }

        @Test(arguments: ["certificate", "ca", "key"])
        func `a file that is not there is named`(key: String) throws {
            let certificates = try Certificates()
            let etcd = try EtcdProcess(certificates: certificates)
            var settings = Self.settings(etcd, certificates)
            settings["storage.etcd.\(key)"] = certificates.client.key + ".none"
            let process = try ServerProcess.start(["serve"], settings)
            #expect(try process.waitForExit() == .exited(1))
            let lines = process.errors.split(separator: "\n")
            #expect(lines.count == 1 && lines.first?.contains(".key.none") == true, "\(lines)")
        }

        @Test(arguments: [true, false])
        func `a user's token is renewed, whatever kind it is`(areSigned: Bool) async throws {
            let seconds = 1
            let tokens: EtcdProcess.Tokens = areSigned ? .signed(seconds: seconds) : .simple(seconds: seconds)
            let etcd = try EtcdProcess.started(tokens: tokens)
            try etcd.client.enableAuthentication(
                root: "r", user: "registry", password: "se cret\"", prefix: "/kong-discovery/")
            let settings = Self.settings(etcd, password: "se cret\"")
            try await withNodes([settings, settings]) { nodes in
                let rest = try nodes.map { try HTTPConnection($0.rest) }
                try rest[0].register(Registration("kept", "10.0.0.1", id: "kept", ttl: 2))
                try nodes[1].waitForAddresses("kept", ["10.0.0.1"])
                let watch = try DNSWatch(nodes[1], ["kept": ["10.0.0.1"]])
                let heartbeats = Heartbeats(["kept"], at: nodes[0])
                for round in 0..<4 {
                    let start = ContinuousClock.now
                    try eventually("a token ends") { start.duration(to: .now) > .seconds(1.5) }
                    // The other node's watch continues too.
                    try rest[round % 2].register(Registration("new-\(round)", "10.0.0.2", ttl: 60))
                    try nodes[1 - round % 2].waitForAddresses("new-\(round)", ["10.0.0.2"])
                }
                watch.stop()
                heartbeats.stop()
            }
        }

        @Test(arguments: [true, false])
        func `authentication may be enabled, disabled and enabled again under a load of writes`(
            areSigned: Bool
        ) async throws {
            let etcd = try EtcdProcess.started(tokens: areSigned ? .signed(seconds: 60) : .simple(seconds: 60))
            try etcd.client.addUsers(
                root: "r", user: "registry", password: "se cret\"", prefix: "/kong-discovery/")
            let settings = Self.settings(etcd, password: "se cret\"")
            // Names and passwords exist, but are not required yet.
            try await withNodes([settings, settings]) { nodes in
                try HTTPConnection(nodes[0].rest).register(Registration("kept", "10.0.0.1", id: "kept", ttl: 2))
                let heartbeats = Heartbeats(["kept"], at: nodes[0])
                let writers = nodes.enumerated().map { Registrations("from-\($0)", at: $1) }
                for isEnabled in [false, true, false, true] {
                    if isEnabled {
                        try etcd.client.enableAuthentication()
                    } else if let root = try? etcd.client.authenticated("root", "r") {
                        try root.disableAuthentication()
                    }
                    let counts = writers.map(\.count)
                    try eventually(within: .seconds(30), "both nodes go on") {
                        zip(writers, counts).allSatisfy { $0.count >= $1 + 20 || $0.hasEnded }
                    }
                }
                let ids = Set(writers.flatMap { $0.stop() } + ["kept"])
                heartbeats.stop()
                for node in nodes {
                    let rest = try HTTPConnection(node.rest)
                    try eventually("it has heard of all of them") { try Set(rest.list().map(\.id)) == ids }
                }
            }
        }

        /// etcd's gateway takes the CommonName of a certificate as a user's name, which may not come together with a
        /// token.
        @Test(arguments: [true, false])
        func `with passwords a client's certificate must have no CommonName`(hasCommonName: Bool) async throws {
            let certificates = try Certificates(client: hasCommonName ? "/CN=registry" : "/O=registry")
            let etcd = try EtcdProcess.started(certificates: certificates, tokens: .simple(seconds: 60))
            try etcd.client.enableAuthentication(
                root: "r", user: "registry", password: "p", prefix: "/kong-discovery/")
            let settings = Self.settings(etcd, password: "p").merging(Self.settings(etcd, certificates)) { $1 }
            if hasCommonName {
                let server = try ServerProcess(settings, until: .restListens)
                try Self.expectRefused(server, "\(etcd.secureEndpoint)")
                // The message is the gateway's own, which is not JSON.
                try server.waitForLog("HTTP status 400: CommonName of client")
                try server.stop()
            } else {
                try await withNodes([settings]) { try $0[0].expectWell() }
            }
        }

        private static func settings(_ etcd: EtcdProcess, password: String) -> [String: String] {
            etcd.settings().merging(
                ["storage.etcd.username": "registry", "storage.etcd.password": password]
            ) { $1 }
        }

        @Test func `a wrong password is reported, but not shown`() throws {
            let etcd = try EtcdProcess.started(tokens: .simple(seconds: 60))
            try etcd.client.enableAuthentication(root: "r", user: "registry", password: "right", prefix: "/other/")
            let server = try ServerProcess(Self.settings(etcd, password: "wr0ng"), until: .restListens)
            try Self.expectRefused(server, "\(etcd.endpoint)")
            #expect(!server.process.errors.contains("wr0ng"))
            #expect(!(try HTTPConnection(server.rest).request("GET", "/api/v1/status").text.contains("wr0ng")))
            try server.stop()
            // The password is right, but the user has no right to the prefix.
            let limited = try ServerProcess(Self.settings(etcd, password: "right"), until: .restListens)
            try Self.expectRefused(limited, "\(etcd.endpoint)")
            try limited.stop()
        }
    }
}
