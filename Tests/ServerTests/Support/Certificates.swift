/// A certificate authority for one test, with a certificate for a server on 127.0.0.1 and one for a client.
struct Certificates: Sendable {
    struct Identity: Sendable {
        /// The paths of PEM files.
        var certificate: String
        var key: String
    }

    let authority: Identity
    let server: Identity
    let client: Identity
    private let folder: TemporaryFolder

    /// - Parameter client: the subject of the client certificate.
    init(client subject: String = "/CN=kong-discovery") throws {
        folder = try TemporaryFolder()
        let path = folder.path
        func identity(_ name: String) -> Identity {
            Identity(certificate: "\(path)/\(name).pem", key: "\(path)/\(name).key")
        }
        authority = identity("authority")
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        func request(_ identity: Identity, _ more: [String]) throws {
            let words = ["openssl", "req"] + curve + ["-keyout", identity.key, "-out", identity.certificate] + more
            try Command.run(words)
        }
        try request(authority, ["-x509", "-subj", "/CN=authority of a test"])
        let signed = ["-x509", "-CA", authority.certificate, "-CAkey", authority.key]
        // etcd's gateway is a client of etcd, and uses the server certificate.
        let server = identity("server")
        try request(
            server,
            signed + [
                "-subj", "/CN=etcd", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
                "extendedKeyUsage=serverAuth,clientAuth", "-addext", "basicConstraints=critical,CA:FALSE",
            ])
        let client = identity("client")
        try request(
            client,
            signed + [
                "-subj", subject, "-addext", "extendedKeyUsage=clientAuth", "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
        (self.server, self.client) = (server, client)
    }

    /// Another identity that the authority has signed.
    ///
    /// - Parameters:
    ///   - name: of its files.
    ///   - days: how long the certificate is valid; negative: it has expired.
    func sign(_ name: String, subject: String, extensions: [String] = [], days: Int = 2) throws -> Identity {
        let identity = Identity(certificate: "\(folder.path)/\(name).pem", key: "\(folder.path)/\(name).key")
        let request = "\(folder.path)/\(name).csr"
        let added = (extensions + ["basicConstraints=critical,CA:FALSE"]).flatMap { ["-addext", $0] }
        try Command.run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8"]
                + ["-multivalue-rdn", "-subj", subject, "-keyout", identity.key, "-out", request] + added)
        try Command.run(
            ["openssl", "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key]
                + ["-copy_extensions", "copyall", "-days", "\(days)", "-out", identity.certificate])
        return identity
    }

    /// The configuration of a server that speaks TLS.
    ///
    /// - Parameter isMutual: whether clients need a certificate.
    func settings(_ identity: Identity? = nil, isMutual: Bool = false) -> [String: String] {
        let identity = identity ?? server
        return [
            "server.tls.certificate": identity.certificate, "server.tls.key": identity.key,
            "server.tls.client_ca": isMutual ? authority.certificate : "",
        ]
    }

    /// Keys that sign tokens.
    static func signingKeys(in folder: TemporaryFolder) throws -> (public: String, private: String) {
        let keys = (public: "\(folder.path)/token.pub", private: "\(folder.path)/token.key")
        try Command.run(["openssl", "genrsa", "-out", keys.private, "2048"])
        try Command.run(["openssl", "rsa", "-in", keys.private, "-pubout", "-out", keys.public])
        return keys
    }
}
