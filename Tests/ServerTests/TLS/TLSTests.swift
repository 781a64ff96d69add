import Foundation
import Testing

extension ServerTests {
    /// The REST API over TLS, with curl and openssl as clients.
    @Suite struct TLSTests {
        @Test func `everything works over HTTPS`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings()) { server in
                let curl = Curl(server, certificates)
                for version in ["1.2", "1.3"] {
                    let answer = try curl.run(["--tlsv\(version)", "--tls-max", version, "/healthz"])
                    #expect(answer.output == "{\"status\":\"alive\"}\n", "\(answer)")
                }
                let made = try curl.post("/api/v1/services", #"{"name":"orders","ip":"10.0.0.1","port":80}"#)
                #expect(made.output.contains(#""name":"orders""#), "\(made)")
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])

                // More than is encrypted at once, both ways.
                let items = (0..<5000).map { #"{"name":"big","ip":"10.1.\#($0 / 250).\#($0 % 250)","port":80}"# }
                let folder = try TemporaryFolder()
                let body = try folder.write("body", #"{"register":[\#(items.joined(separator: ","))]}"#)
                let batch = try curl.post("/api/v1/services/batch", "@\(body)")
                #expect(batch.output.count(of: #""status":201"#) == 5000, "\(batch.errors)")
                let page = try curl.run(["/api/v1/services?name=big&limit=1000"])
                #expect(page.output.count(of: #""name":"big""#) == 1000)
                let all = try curl.run([
                    "--parallel-max", "1", "/api/v1/services?limit=1000", "/healthz", "/api/v1/names",
                ])
                #expect(all.output.contains(#"{"status":"alive"}"#) && all.output.contains(#""passing":5000"#))
            }
        }

        @Test func `status and health tell of the certificate`() async throws {
            let certificates = try Certificates()
            let long = try certificates.sign(
                "long", subject: "/O=Example/CN=rest", extensions: ["subjectAltName=IP:127.0.0.1"], days: 15)
            let short = try certificates.sign(
                "short", subject: "/CN=short", extensions: ["subjectAltName=IP:127.0.0.1"], days: 13)
            let expired = try certificates.sign(
                "expired", subject: "/CN=old", extensions: ["subjectAltName=IP:127.0.0.1"], days: -1)
            for (identity, subject, days, state) in [
                (long, "CN=rest,O=Example", 15, "pass"), (short, "CN=short", 13, "warn"),
                (expired, "CN=old", -1, "fail"),
            ] {
                try await withServer(certificates.settings(identity)) { server in
                    let curl = Curl(server, certificates)
                    let status = try curl.run(["--insecure", "/api/v1/status"]).output
                    #expect(
                        status.contains(#""certificate":{"health":"\#(state)","subject":"\#(subject)""#), "\(status)")
                    // A second has passed, or not.
                    let isRight = [days, days - 1].contains { status.contains(#""days_left":\#($0)}"#) }
                    #expect(isRight, "\(status)")
                    let health = try curl.run(["--insecure", "/api/v1/health"]).output
                    #expect(health.contains(#""certificate":{"status":"\#(state)",""#), "\(health)")
                    #expect(health.contains(#"{"status":"\#(state == "pass" ? "pass" : "warn")","#), "\(health)")
                    let words = state == "warn" ? "ends soon" : "has expired"
                    if state != "pass" { try server.waitForLog(words) }
                    #expect(server.logLines.contains { $0.contains("the REST API \(words)") } == (state != "pass"))
                }
            }
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                #expect(try rest.request("GET", "/api/v1/status").text.contains(#""certificate":null"#))
                #expect(try !rest.request("GET", "/api/v1/health").text.contains("certificate"))
            }
        }

        @Test func `only clients that the authority has signed get in`() async throws {
            let certificates = try Certificates()
            let other = try Certificates()
            let clientUse = ["extendedKeyUsage=clientAuth"]
            let expired = try certificates.sign("expired", subject: "/CN=old", extensions: clientUse, days: -1)
            let wrongUse = try certificates.sign(
                "use", subject: "/CN=use", extensions: ["extendedKeyUsage=serverAuth"])
            let refused: [(Certificates.Identity?, String)] = [
                (nil, "there is none"), (expired, "CN=old has expired"),
                (other.client, "CN=kong-discovery is not for clients, or signed by nobody in server.tls.client_ca"),
                (wrongUse, "CN=use is not for clients, or signed by nobody in server.tls.client_ca"),
                (other.authority, "CN=authority of a test is self-signed, and not in server.tls.client_ca"),
            ]
            try await withServer(certificates.settings(isMutual: true)) { server in
                for version in ["1.2", "1.3"] {
                    for (client, reason) in refused {
                        let before = server.logLines.count { $0.contains(reason) }
                        let curl = Curl(server, certificates, client: client)
                        let answer = try curl.run(["--tls-max", version, "/healthz"])
                        // The client gets to read the alert.
                        #expect(answer.status != .exited(0) && answer.output == "", "\(answer)")
                        let isTold = answer.errors.contains("alert") || answer.errors.contains("verification failed")
                        #expect(isTold, "\(reason): \(answer.errors)")
                        try server.waitForLog(reason, count: before + 1)
                    }
                    let good = try Curl(server, certificates, client: certificates.client)
                        .run(["--tls-max", version, "/healthz"])
                    #expect(good.output == "{\"status\":\"alive\"}\n", "\(good)")
                }
                #expect(
                    server.logLines.count { $0.contains("a client's certificate is refused client=127.0.0.1") } == 10)
            }
        }

        @Test func `a certificate's subject stands for a token`() async throws {
            let certificates = try Certificates()
            let clientUse = ["extendedKeyUsage=clientAuth"]
            let orders = try certificates.sign("orders", subject: "/O=Example/CN=orders", extensions: clientUse)
            let reader = try certificates.sign("reader", subject: "/O=Example, Inc/CN=ci", extensions: clientUse)
            let folder = try TemporaryFolder()
            let tokens = try folder.write(
                "tokens.yaml",
                """
                - {name: orders, subject: 'CN=orders,O=Example', role: write, services: ["orders*"]}
                - {name: ci, subject: 'CN=ci,O=Example\\, Inc', role: read}

                """)
            let settings = certificates.settings(isMutual: true).merging(["server.tokens_file": tokens]) { $1 }
            try await withServer(settings) { server in
                func status(_ client: Certificates.Identity, _ name: String?) throws -> String {
                    let curl = Curl(server, certificates, client: client)
                    let code = ["-o", "/dev/null", "-w", "%{http_code}"]
                    guard let name else { return try curl.run(code + ["/api/v1/names"]).output }
                    let body = #"{"name":"\#(name)","ip":"10.0.0.1","port":80}"#
                    return try curl.run(
                        code + ["-d", body, "-H", "Content-Type: application/json", "/api/v1/services"]
                    ).output
                }
                for (client, name, expected) in [
                    (orders, "orders-v2", "201"), (orders, "billing", "403"), (orders, nil, "200"),
                    (reader, nil, "200"), (reader, "orders", "403"), (certificates.client, nil, "401"),
                ] {
                    let found = try status(client, name)
                    #expect(found == expected, "\(client.certificate) \(name ?? "")")
                }
            }
        }

        @Test func `commands speak TLS as their options say`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings(isMutual: true)) { server in
                func explain(_ options: [String] = [], scheme: String = "https") throws -> Curl.Answer {
                    let process = try ServerProcess.start(
                        ["explain", "service.kong", "SOA", "--server", "\(scheme)://\(server.rest)"] + options)
                    let status = try process.waitForExit()
                    return Curl.Answer(status: status, output: process.output, errors: process.errors)
                }
                let identity = ["--cert", certificates.client.certificate, "--key", certificates.client.key]
                let ca = ["--cacert", certificates.authority.certificate]
                let known = try explain(ca + identity)
                #expect(known.output.contains("SOA"), "\(known)")
                #expect(try explain(["--insecure"] + identity).output.contains("SOA"))
                #expect(try explain(identity).errors.contains("certificate"))
                #expect(try explain(ca).errors.contains("certificate required"))
                #expect(try explain(scheme: "http").errors.contains("this port speaks HTTPS"))
                #expect(try explain(["--cert", "/nowhere"]).errors.contains("--cert /nowhere: No such file"))
                #expect(try explain(["--key", identity[1]]).errors.contains("--key needs --cert"))
            }
        }

        @Test func `streams and waiting requests go on over TLS, and end when the server stops`() async throws {
            let certificates = try Certificates()
            try await withServer(certificates.settings()) { server in
                let curl = Curl(server, certificates)
                let events = try curl.start(["--no-buffer", "/api/v1/events?snapshot=true"])
                let isLive = try events.waitForOutput { $0.contains("event: live") }
                #expect(isLive, "\(events.errors)")
                let index = try #require(
                    try curl.run(["--head", "/api/v1/names"]).output.split(separator: "\r\n")
                        .first { $0.lowercased().hasPrefix("x-registry-index: ") }?.split(separator: " ").last)
                let waiting = try curl.start(["/api/v1/names?index=\(index)&wait=1m"])
                _ = try curl.post("/api/v1/services", #"{"name":"orders","ip":"10.0.0.1","port":80}"#)
                #expect(try events.waitForOutput { $0.contains("event: registered") })
                #expect(try waiting.waitForExit() == .exited(0))
                #expect(waiting.output.contains("orders"))

                let late = try curl.start(["/api/v1/names?index=99999&wait=1m"])
                let raw = try ClientSocket(connectedTo: server.rest, .tcp)
                try server.stop()
                _ = try events.waitForExit()
                _ = try late.waitForExit()
                #expect(try raw.receive().isEmpty)
            }
        }
    }
}

/// curl as a client of a server that speaks TLS.
struct Curl {
    /// How a transfer has ended.
    struct Answer {
        var status: ChildProcess.Status
        var output: String
        var errors: String
    }

    private let base: String
    private let words: [String]

    init(_ server: ServerProcess, _ certificates: Certificates, client: Certificates.Identity? = nil) {
        base = "https://\(server.rest)"
        let identity = client.map { ["--cert", $0.certificate, "--key", $0.key] } ?? []
        words = ["curl", "-sS", "--max-time", "60", "--cacert", certificates.authority.certificate] + identity
    }

    /// Starts a transfer. Words that begin with a slash are paths.
    func start(_ more: [String]) throws -> ChildProcess {
        try Command.start(words + more.map { $0.hasPrefix("/api") || $0.hasPrefix("/health") ? base + $0 : $0 })
    }

    func run(_ more: [String]) throws -> Answer {
        let process = try Command.start(
            words + more.map { $0.hasPrefix("/api") || $0.hasPrefix("/health") ? base + $0 : $0 })
        return Answer(status: try process.waitForExit(), output: process.output, errors: process.errors)
    }

    /// Sends JSON.
    func post(_ path: String, _ body: String) throws -> Answer {
        try run(["--data-binary", body, "-H", "Content-Type: application/json", path])
    }
}

extension String {
    /// How often a text is in it.
    fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
