import Foundation
import Testing

extension ServerTests {
    /// Clients of the TLS port that do what they should not.
    @Suite struct BadTLSTests {
        /// Talks to the server through `openssl s_client`.
        private func client(_ server: ServerProcess, _ options: String, input: String) throws -> String {
            let process = try Command.start([
                "sh", "-c", "{ \(input); } | timeout 20 openssl s_client -connect \(server.rest) \(options) 2>&1",
            ])
            _ = try process.waitForExit()
            return process.output
        }

        @Test func `who speaks HTTP is told that the port speaks HTTPS`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings()) { server in
                let plain = try HTTPConnection(server.rest)
                // The rest of the body comes while the answer is on its way.
                try plain.send("POST", "/api/v1/services", Array(repeating: 0x20, count: 300_000))
                let answer = try plain.receive()
                #expect(answer.status == 400)
                #expect(answer.fields["content-type"] == "application/problem+json")
                #expect(answer.text.contains(#""detail":"this port speaks HTTPS: use https://""#))
                #expect(try plain.isClosedByServer())
                try server.waitForLog("this port speaks HTTPS")

                for octets: [UInt8] in [[0], [0x80, 0x2E, 1], [21, 3, 1, 0, 2, 1, 0], [23, 3, 3, 0, 1, 0], [0xFF]] {
                    let odd = try ClientSocket(connectedTo: server.rest, .tcp)
                    try odd.send(octets)
                    try odd.waitForEnd()
                }
                #expect(try Curl(server, certificates).run(["/healthz"]).status == .exited(0))
            }
        }

        @Test func `who speaks TLS to a port without TLS is refused at once`() async throws {
            try await withServer(["log.level": "debug"]) { server in
                let text = try client(server, "", input: "true")
                #expect(text.contains("wrong version number"), "\(text)")
                try server.waitForLog("a client speaks TLS, and this port does not client=127.0.0.1")
                #expect(server.logLines.count { $0.contains("a client speaks TLS") && $0.contains(" debug ") } == 1)
            }
        }

        @Test func `old versions, bad ciphers and renegotiation are refused`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings()) { server in
                let old = try client(server, "-tls1_1 -cipher ALL:@SECLEVEL=0", input: "true")
                #expect(old.contains("alert protocol version"), "\(old)")
                try server.waitForLog("the client offers no version from TLS 1.2 on")
                let weak = try client(server, "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256", input: "true")
                #expect(weak.contains("handshake failure"), "\(weak)")
                try server.waitForLog("the client offers no cipher that is good enough")
                let again = try client(server, "-tls1_2", input: "sleep 1; echo R; sleep 1")
                #expect(again.contains("RENEGOTIATING") && !again.contains("HTTP/1.1"), "\(again)")
                #expect(again.contains("error"), "\(again)")
            }
        }

        @Test func `clients that stop in the handshake give way to others`() async throws {
            let certificates = try Certificates()
            let settings = certificates.settings().merging(["server.max_per_client": "8"]) { $1 }
            try await withServer(settings) { server in
                let curl = Curl(server, certificates)
                // A client that works keeps its connection.
                let kept = try curl.start([
                    "--rate", "5/s", "-o", "/dev/null", "-w", "%{num_connects}\n", "/healthz#[1-15]",
                ])
                #expect(try kept.waitForOutput { $0.contains("\n") })
                // Half of a ClientHello.
                let halves = try (0..<40).map { _ in
                    let socket = try ClientSocket(connectedTo: server.rest, .tcp)
                    try socket.send([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])
                    return socket
                }
                for _ in 0..<5 { #expect(try curl.run(["/healthz"]).status == .exited(0)) }
                #expect(try kept.waitForExit() == .exited(0))
                #expect(kept.output == "1\n" + String(repeating: "0\n", count: 14))
                // The last ones are closed when their time is over; no octet of an answer has come.
                for half in halves {
                    do {
                        #expect(try half.receive().isEmpty)
                    } catch let error as SocketError where error.code == ECONNRESET {}
                }
            }
        }

        @Test func `records that are too long, or damaged, end their own connection alone`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings()) { server in
                let long = try ClientSocket(connectedTo: server.rest, .tcp)
                try? long.send([22, 3, 1, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 65_535))
                try? long.waitForEnd()
                var generator = SeededGenerator(seed: 5)
                for _ in 0..<200 {
                    let socket = try ClientSocket(connectedTo: server.rest, .tcp)
                    let count = Int.random(in: 0...400, using: &generator)
                    let octets = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                    try? socket.send([22, 3, 1, UInt8(count >> 8), UInt8(count & 255), 1] + octets)
                    socket.shutdownSending()
                    try? socket.waitForEnd()
                }
                #expect(try Curl(server, certificates).run(["/healthz"]).status == .exited(0))
            }
        }

        @Test func `a client that has no more to send is answered`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings()) { server in
                let request = #"printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'"#
                for version in ["-tls1_2", "-tls1_3"] {
                    // At the end of its input openssl closes its side of the session.
                    let answer = try client(server, "-quiet -no_ign_eof \(version)", input: "\(request); sleep 1")
                    #expect(answer.contains(#"{"status":"alive"}"#), "\(answer)")
                }
            }
        }
    }
}
