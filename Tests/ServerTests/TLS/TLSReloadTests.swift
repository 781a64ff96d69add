import Foundation
import Glibc
import Testing

extension ServerTests {
    /// SIGHUP reads certificates again.
    @Suite struct TLSReloadTests {
        /// What new connections are shown.
        private func subject(_ server: ServerProcess) throws -> String {
            let process = try Command.start([
                "sh", "-c",
                "openssl s_client -connect \(server.rest) </dev/null 2>/dev/null | openssl x509 -noout -subject",
            ])
            _ = try process.waitForExit()
            return process.output
        }

        @Test func `twenty reloads under load lose no request, and new connections are shown the new certificate`()
            async throws
        {
            let certificates = try Certificates()
            let both = try ["first", "second"].map { name in
                try certificates.sign(name, subject: "/CN=\(name)", extensions: ["subjectAltName=IP:127.0.0.1"])
            }
            let folder = try TemporaryFolder()
            func install(_ identity: Certificates.Identity) throws -> Certificates.Identity {
                func copy(_ path: String, _ name: String) throws -> String {
                    try folder.write(name, String(contentsOfFile: path, encoding: .utf8))
                }
                return Certificates.Identity(
                    certificate: try copy(identity.certificate, "server.pem"), key: try copy(identity.key, "server.key")
                )
            }
            let settings = certificates.settings(try install(both[0]))
            try await withServer(settings) { server in
                let end = folder.path + "/end"
                let url = "https://\(server.rest)/healthz"
                // Each of the first two connects for every request; the third one keeps its connection.
                let fresh = """
                    ok=0; while [ ! -e \(end) ]; do
                    curl -sS -f -o /dev/null --cacert \(certificates.authority.certificate) \(url) && ok=$((ok+1)) \
                    || exit 1; done; echo $ok
                    """
                let loads = try (0..<2).map { _ in try Command.start(["sh", "-c", fresh]) }
                let kept = try Command.start([
                    "curl", "-sS", "-f", "-o", "/dev/null", "--rate", "20/s", "-w", "%{http_code} %{num_connects}\n",
                    "--cacert", certificates.authority.certificate, url + "#[1-100]",
                ])
                for turn in 1...20 {
                    _ = try install(both[turn % 2])
                    server.process.signal(SIGHUP)
                    try server.waitForLog("new connections are shown a certificate", count: turn + 1)
                    let name = turn % 2 == 0 ? "first" : "second"
                    #expect(try subject(server) == "subject=CN = \(name)\n")
                }
                _ = try folder.write("end", "")
                for load in loads {
                    #expect(try load.waitForExit() == .exited(0), "\(load.errors)")
                    #expect(Int(load.output.dropLast()) ?? 0 > 0)
                }
                #expect(try kept.waitForExit() == .exited(0), "\(kept.errors)")
                let lines = kept.output.split(separator: "\n")
                #expect(lines.count == 100 && lines.first == "200 1")
                #expect(lines.dropFirst().allSatisfy { $0 == "200 0" })
            }
        }

        @Test func `broken files leave the old certificate in force, and the log says what is wrong`() async throws {
            let certificates = try Certificates()
            let folder = try TemporaryFolder()
            func install(_ certificate: String, _ key: String) throws {
                _ = try folder.write("server.pem", certificate)
                _ = try folder.write("server.key", key)
            }
            func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
            let expired = try certificates.sign("expired", subject: "/CN=old", days: -1)
            let good = (try text(certificates.server.certificate), try text(certificates.server.key))
            try install(good.0, good.1)
            let paths = Certificates.Identity(
                certificate: folder.path + "/server.pem", key: folder.path + "/server.key")
            try await withServer(certificates.settings(paths), toleratesErrors: true) { server in
                let bad = [
                    ("", good.1, "server.pem: has no certificate in PEM form"),
                    (good.0, "", "server.key: has no private key in PEM form"),
                    (good.0, try text(certificates.client.key), "server.key: is not the key of the certificate in"),
                    (String(good.0.prefix(300)), good.1, "server.pem: has a certificate that can't be read"),
                    (try text(expired.certificate), try text(expired.key), "server.pem: it has expired on "),
                ]
                for (number, (certificate, key, reason)) in bad.enumerated() {
                    try install(certificate, key)
                    server.process.signal(SIGHUP)
                    try server.waitForLog("certificate not reloaded: the old one stays", count: number + 1)
                    try server.waitForLog(reason)
                    #expect(try subject(server) == "subject=CN = etcd\n")
                }
                // A wrong configuration keeps no certificate from being renewed.
                let renewed = try certificates.sign(
                    "renewed", subject: "/CN=renewed", extensions: ["subjectAltName=IP:127.0.0.1"])
                try install(try text(renewed.certificate), try text(renewed.key))
                server.process.signal(SIGHUP)
                try server.waitForLog("new connections are shown a certificate", count: 2)
                #expect(try subject(server) == "subject=CN = renewed\n")
            }
        }

        @Test func `TLS can be switched on and off, and other clients be let in`() async throws {
            let certificates = try Certificates()
            let other = try Certificates()
            let folder = try TemporaryFolder()
            func configure(_ authority: String?) throws -> String {
                let tls = authority.map { authority in
                    "certificate: \(certificates.server.certificate), key: \(certificates.server.key), "
                        + "client_ca: \"\(authority)\""
                }
                return try folder.write("k.yaml", "server: {tls: {\(tls ?? "")}}\n")
            }
            let file = try configure(nil)
            try await withServer(file: file) { server in
                let kept = try HTTPConnection(server.rest)
                #expect(try kept.request("GET", "/healthz").status == 200)

                for (number, authority) in [certificates, other].enumerated() {
                    _ = try configure(authority.authority.certificate)
                    server.process.signal(SIGHUP)
                    try server.waitForLog("client_certificates=required", count: number + 1)
                    for client in [certificates, other] {
                        let answer = try Curl(server, certificates, client: client.client).run(["/healthz"])
                        let isKnown = client.authority.certificate == authority.authority.certificate
                        #expect((answer.status == .exited(0)) == isKnown, "\(answer)")
                    }
                    #expect(try HTTPConnection(server.rest).request("GET", "/healthz").status == 400)
                    // Older connections go on.
                    #expect(try kept.request("GET", "/healthz").status == 200)
                }
                _ = try configure(nil)
                server.process.signal(SIGHUP)
                try server.waitForLog("new connections speak HTTP without TLS")
                #expect(try HTTPConnection(server.rest).request("GET", "/healthz").status == 200)
            }
        }
    }
}
