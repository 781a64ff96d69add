import Foundation
import Testing

extension ServerTests {
    /// Files of `server.tls` with which the server can't start: a line names the key, the file and what is wrong.
    @Suite struct TLSStartTests {
        private struct Case {
            var settings: [String: String]
            var key: String
            var message: String
        }

        private static func cases(_ certificates: Certificates, _ folder: TemporaryFolder) throws -> [Case] {
            let (certificate, key) = (certificates.server.certificate, certificates.server.key)
            let authority = certificates.authority.certificate
            func made(_ name: String, _ words: [String]) throws -> String {
                let path = folder.path + "/" + name
                try Command.run(["openssl"] + words + ["-out", path])
                return path
            }
            let encrypted = try made("aes.key", ["pkey", "-in", key, "-aes256", "-passout", "pass:secret"])
            let old = try made("old.key", ["ec", "-in", key, "-aes256", "-passout", "pass:secret"])
            let der = try made("der.pem", ["x509", "-in", certificate, "-outform", "der"])
            let damaged = try folder.write(
                "damaged.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            let large = try folder.write("large.pem", String(repeating: "x", count: 2 << 20))
            func tls(_ certificate: String, _ key: String, _ authority: String = "") -> [String: String] {
                [
                    "server.tls.certificate": certificate, "server.tls.key": key, "server.tls.client_ca": authority,
                ]
            }
            let (isCertificate, isKey, isAuthority) = (
                "server.tls.certificate", "server.tls.key", "server.tls.client_ca"
            )
            return [
                Case(
                    settings: tls("/nowhere.pem", key), key: isCertificate,
                    message: "/nowhere.pem: can't be read: No such file"),
                Case(
                    settings: tls(folder.path, key), key: isCertificate,
                    message: "\(folder.path): can't be read: it is no regular file"),
                Case(
                    settings: tls(key, key), key: isCertificate,
                    message: "\(key): has no certificate in PEM form (BEGIN CERTIFICATE): it has a PRIVATE KEY"),
                Case(
                    settings: tls(der, key), key: isCertificate,
                    message: "\(der): has no certificate in PEM form (BEGIN CERTIFICATE): it may be in DER form"),
                Case(settings: tls(large, key), key: isCertificate, message: "\(large): is too large"),
                Case(
                    settings: tls(certificate, certificate), key: isKey,
                    message: "\(certificate): has no private key in PEM form (BEGIN PRIVATE KEY): it has a CERTIF"),
                Case(settings: tls(certificate, encrypted), key: isKey, message: "\(encrypted): is encrypted"),
                Case(settings: tls(certificate, old), key: isKey, message: "\(old): is encrypted"),
                Case(
                    settings: tls(certificate, damaged), key: isKey,
                    message: "\(damaged): has a private key that can't be read"),
                Case(
                    settings: tls(certificate, certificates.client.key), key: isKey,
                    message: "\(certificates.client.key): is not the key of the certificate in \(certificate)"),
                Case(
                    settings: tls(certificate, key, key), key: isAuthority,
                    message: "\(key): has no certificate in PEM form"),
                Case(
                    settings: tls(certificate, key, "/dev/null"), key: isAuthority,
                    message: "/dev/null: can't be read: it is no regular file"),
                Case(
                    settings: tls(certificate, ""), key: isKey, message: "is missing: server.tls.certificate needs it"),
                Case(settings: tls("", key), key: isCertificate, message: "is missing: server.tls.key needs it"),
                Case(
                    settings: tls("", "", authority), key: isCertificate,
                    message: "is missing: server.tls.client_ca needs it"),
            ]
        }

        @Test func `one line names key, file and what is wrong, for serve and check-config`() throws {
            let certificates = try Certificates()
            let folder = try TemporaryFolder()
            for wrong in try Self.cases(certificates, folder) {
                for command in ["serve", "check-config"] {
                    let process = try ServerProcess.start([command], wrong.settings)
                    #expect(try process.waitForExit() == .exited(1), "\(wrong)")
                    #expect(process.output == "")
                    let lines = process.errors.split(separator: "\n")
                    #expect(lines.count == 1, "\(lines)")
                    #expect(lines.first?.contains("\(wrong.key): \(wrong.message)") == true, "\(lines)")
                }
            }
            withExtendedLifetime(folder) {}
        }

        @Test func `what is suspicious is a warning, and the server starts`() async throws {
            let certificates = try Certificates()
            let expired = try certificates.sign("expired", subject: "/CN=old", days: -1)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: expired.key)
            let settings = certificates.settings(expired)
            let warnings = [
                "server.tls.certificate: \(expired.certificate): it has expired on ",
                "server.tls.key: \(expired.key): others than its owner may read or write it: chmod 600",
            ]
            let check = try ServerProcess.start(["check-config"], settings)
            #expect(try check.waitForExit() == .exited(0))
            for warning in warnings { #expect(check.errors.contains("warning: \(warning)"), "\(check.errors)") }
            try await withServer(settings) { server in
                for warning in warnings {
                    #expect(server.logLines.contains { $0.contains(" warning ") && $0.contains(warning) })
                }
            }
        }

        @Test(arguments: ["rsa:2048", "rsa-pkcs1", "ec:secp384r1", "chain"])
        func `all usual keys and chains are read`(kind: String) async throws {
            let certificates = try Certificates()
            let folder = try TemporaryFolder()
            let (key, certificate) = (folder.path + "/k.key", folder.path + "/k.pem")
            let algorithm =
                kind.hasPrefix("ec")
                ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"] : ["-newkey", "rsa:2048"]
            try Command.run(
                [
                    "openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=k", "-addext",
                    "subjectAltName=IP:127.0.0.1",
                ]
                    + [
                        "-CA", certificates.authority.certificate, "-CAkey", certificates.authority.key, "-addext",
                        "basicConstraints=critical,CA:FALSE",
                    ] + algorithm
                    + ["-keyout", key, "-out", certificate])
            if kind == "rsa-pkcs1" { try Command.run("openssl", "rsa", "-in", key, "-traditional", "-out", key) }
            var identity = Certificates.Identity(certificate: certificate, key: key)
            if kind == "chain" {
                // All in one file, with texts between them.
                let parts = try [key, certificate, certificates.authority.certificate].map {
                    "subject of it\n" + (try String(contentsOfFile: $0, encoding: .utf8))
                }
                let path = try folder.write("all.pem", parts.joined())
                identity = Certificates.Identity(certificate: path, key: path)
            }
            try await withServer(certificates.settings(identity)) { server in
                let answer = try Curl(server, certificates).run(["/healthz"])
                #expect(answer.status == .exited(0), "\(answer)")
            }
        }
    }
}
