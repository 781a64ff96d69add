import Glibc
import Testing

extension TimedTests {
    /// The life of an instance: ttl, heartbeats, draining.
    @Suite struct ExpiryTests {
        private static let settings = ["heartbeat.cleanup_interval": "200ms", "dns.workers": "2"]

        /// When an instance was last seen, and first found missing, in DNS or the API.
        private struct Sighting {
            var lastSeen: ContinuousClock.Instant
            var goneBy: ContinuousClock.Instant
            /// The longest time between two looks: the delay that the machine caused.
            var longestGap = Duration.zero
        }

        /// Looks again and again until an instance is gone. There is no event to wait for, because only the answer
        /// counts.
        private func watch(_ isThere: () throws -> Bool) throws -> Sighting {
            let start = ContinuousClock.now
            var sighting = Sighting(lastSeen: start, goneBy: start)
            while true {
                let before = ContinuousClock.now
                let isThere = try isThere()
                let after = ContinuousClock.now
                sighting.longestGap = max(sighting.longestGap, sighting.goneBy.duration(to: after))
                sighting.goneBy = after
                if !isThere { return sighting }
                sighting.lastSeen = before
                try #require(start.duration(to: after) < .seconds(20), "it does not go")
                usleep(2000)
            }
        }

        private enum Place: CaseIterable { case dns, rest }

        @Test(arguments: Place.allCases)
        private func `an instance without heartbeat leaves within the cleanup interval after its ttl, not before`(
            place: Place
        ) async throws {
            try await withServer(Self.settings) { server in
                let rest = try HTTPConnection(server.rest)
                let before = ContinuousClock.now
                let id = try rest.register(Registration("orders", "10.0.0.1", ttl: 1)).id
                let after = ContinuousClock.now
                let isThere = { (place: Place) in
                    switch place {
                    case .dns: try server.ask("orders.service.kong").code == .noError
                    case .rest: try rest.request("GET", "/api/v1/services/\(id)").status == 200
                    }
                }
                // One is checked right after the other, because the order in which they change does not matter.
                for place in [place, place == .dns ? .rest : .dns] {
                    let sighting = try watch { try isThere(place) }
                    #expect(before.duration(to: sighting.goneBy) >= .seconds(1))
                    let slack = Duration.milliseconds(150) + sighting.longestGap * 2
                    #expect(after.duration(to: sighting.lastSeen) <= .milliseconds(1200) + slack)
                }
                #expect(try server.ask("orders.service.kong").code == .nameError)
                #expect(try server.ask("orders.service.kong", .srv).code == .nameError)
                #expect(try rest.request("PUT", "/api/v1/services/\(id)/heartbeat").status == 404)
                #expect(try rest.request("GET", "/api/v1/services").text == #"{"services":[],"next_cursor":null}\#n"#)
            }
        }

        @Test func `heartbeats keep an instance, changes do not, and a permanent one stays`() async throws {
            try await withServer(Self.settings) { server in
                let rest = try HTTPConnection(server.rest)
                let kept = try rest.register(Registration("kept", "10.0.0.1", ttl: 2)).id
                let together = try rest.register(Registration("together", "10.0.0.2", ttl: 2)).id
                let again = Registration("again", "10.0.0.3", ttl: 2)
                try rest.register(again)
                try rest.register(Registration("permanent", "10.0.0.4", ttl: 0))
                let before = ContinuousClock.now
                let patched = try rest.register(Registration("patched", "10.0.0.5", ttl: 2)).id

                // This goes on until three ttls are over.
                let end = before + .seconds(6)
                while ContinuousClock.now < end {
                    let beat = try rest.request("PUT", "/api/v1/services/\(kept)/heartbeat")
                    #expect(beat.status == 200 && beat.text.contains(kept) && beat.text.contains("expires_at"))
                    let beats = try rest.request("POST", "/api/v1/heartbeats", #"{"ids":["\#(together)","unknown"]}"#)
                    #expect(beats.text == #"{"renewed":1,"unknown":["unknown"]}\#n"#)
                    try rest.register(again)
                    for name in ["kept", "together", "again", "permanent"] {
                        try #require(try server.ask("\(name).service.kong").code == .noError, "\(name)")
                    }
                    let isThere =
                        try rest.request("PATCH", "/api/v1/services/\(patched)", #"{"weight":5}"#).status == 200
                    if before.duration(to: .now) < .seconds(2) { #expect(isThere) }
                    usleep(50_000)
                }
                #expect(try server.ask("patched.service.kong").code == .nameError)
                #expect(try rest.request("PATCH", "/api/v1/services/\(patched)", #"{"weight":5}"#).status == 404)
            }
        }

        @Test func `a draining instance stays in the registry, also when it registers again, and expires`() async throws
        {
            try await withServer(Self.settings) { server in
                let rest = try HTTPConnection(server.rest)
                let registration = Registration("orders", "10.0.0.1", ttl: 1)
                let id = try rest.register(registration).id
                try rest.patch(id, #"{"draining":true}"#)
                #expect(try rest.register(registration).status == "draining")
                #expect(
                    try rest.request("GET", "/api/v1/services/\(id)").decoded(as: Instance.self).status == "draining")
                #expect(try rest.request("GET", "/api/v1/services?status=draining").text.contains(id))
                #expect(!(try rest.request("GET", "/api/v1/services?status=passing").text.contains(id)))
                #expect(try server.ask("orders.service.kong").code == .nameError)
                _ = try watch { try rest.request("GET", "/api/v1/services/\(id)").status == 200 }
            }
        }

        @Test func `thousands that expire together are all gone in time`() async throws {
            // Searches are far apart: anything that one of them left would stay too long.
            let settings = [
                "heartbeat.cleanup_interval": "4s", "heartbeat.mass_expiry_brake": "1", "dns.workers": "2",
            ]
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                let registrations = (0..<10_000).map {
                    Registration("s\($0 % 50)", "10.1.\($0 / 250).\($0 % 250)", ttl: 2)
                }
                #expect(try rest.batch(register: registrations).allSatisfy { $0.status == 201 })
                let after = ContinuousClock.now
                let dns = try DNSClient(server.dns[0])
                let sighting = try watch {
                    try (0..<50).contains { try dns.ask("s\($0).service.kong").code == .noError }
                }
                // The time for removing them comes on top, and a debug build is slow.
                let slack = Duration.seconds(1) + sighting.longestGap * 2
                #expect(after.duration(to: sighting.lastSeen) <= .milliseconds(6000) + slack)
                #expect(try rest.request("GET", "/api/v1/names").text == #"{"names":[],"next_cursor":null}\#n"#)
            }
        }

        @Test(arguments: ["memory", "sqlite"])
        func `a server that was paused for longer than the ttl expires no instance that is alive`(storage: String)
            async throws
        {
            let folder = try TemporaryFolder()
            let settings = ["storage.type": storage, "storage.sqlite.path": "\(folder.path)/registry.db"]
            try await withServer(Self.settings.merging(settings) { $1 }) { server in
                let rest = try HTTPConnection(server.rest)
                let ids = (0..<50).map { "i\($0)" }
                let registrations = ids.map { Registration("alive", "10.0.1.\($0.dropFirst())", id: $0, ttl: 3) }
                #expect(try rest.batch(register: registrations).allSatisfy { $0.status == 201 })
                try rest.register(Registration("dead", "10.0.0.1", id: "dead", ttl: 3))
                let body = json(["ids": ids])
                var unknown: [String] = []
                /// Sends heartbeats every half second, whether they are answered or not.
                func beat(until end: ContinuousClock.Instant) throws {
                    let sender = try HTTPConnection(server.rest)
                    var sent = 0
                    while ContinuousClock.now < end {
                        try sender.send("POST", "/api/v1/heartbeats", Array(body.utf8))
                        sent += 1
                        usleep(500_000)
                    }
                    server.process.signal(SIGCONT)
                    for _ in 0..<sent {
                        let answer = try sender.receive().text
                        if answer != #"{"renewed":50,"unknown":[]}\#n"# { unknown.append(answer) }
                    }
                }
                server.process.signal(SIGSTOP)
                try beat(until: .now + .seconds(6))
                let resumed = ContinuousClock.now
                try beat(until: .now + .seconds(2))
                #expect(unknown.isEmpty)
                #expect(try server.ask("alive.service.kong", over: .tcp).texts.count == 50)
                // A dead instance leaves at most one ttl after the pause.
                try eventually("it expires") { try server.ask("dead.service.kong").code == .nameError }
                #expect(resumed.duration(to: .now) < .milliseconds(3000 + 200 + 1000))
            }
        }

        @Test func `an instance that comes back after it has expired is in the next answer`() async throws {
            try await withServer(Self.settings) { server in
                let rest = try HTTPConnection(server.rest)
                let id = try rest.register(Registration("orders", "10.0.0.1", id: "a", ttl: 1)).id
                _ = try watch { try server.ask("orders.service.kong").code == .noError }
                #expect(try rest.request("GET", "/api/v1/services/\(id)").status == 404)
                try rest.register(Registration("orders", "10.0.0.1", id: "a", ttl: 1))
                #expect(try server.addresses("orders") == [["10.0.0.1"]])
            }
        }
    }
}
