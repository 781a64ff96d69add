import NIOCore
import NIOSSL

/// What the server shows of itself over TLS, and whom it lets in: read from the files of `server.tls`, and checked.
public struct ServerIdentity: Sendable {
    /// Enough for hundreds of certificates.
    static let maximumOctets = 1 << 20

    /// What connections are made with. The next identity has another, which knows none of this one's sessions.
    let context: NIOSSLContext
    let certificate: CertificateSummary
    /// Of the authorities of clients' certificates the one that ends first; `nil`: clients need no certificate.
    let authority: CertificateSummary?
    /// The last second in which all authorities of clients' certificates are valid; `nil`: clients need none.
    var authoritiesNotAfter: WallTime? { authority?.notAfter }
    /// Whether a client needs a certificate.
    var isMutual: Bool { authority != nil }
    /// What is suspicious, each in one line.
    public let warnings: [String]
}

extension LoadedConfiguration {
    /// Reads the files of `server.tls`.
    ///
    /// - Returns: `nil` if none are configured.
    /// - Throws: ``ConfigurationError`` with everything that is wrong.
    public func serverIdentity() throws(ConfigurationError) -> ServerIdentity? {
        let tls = configuration.server.tls
        if tls.certificate.isEmpty { return nil }
        var reader = ServerIdentityReader(origins: origins)
        guard let identity = reader.read(tls) else { throw ConfigurationError(reader.problems) }
        return identity
    }
}

/// Reads the files, and collects what is wrong with them.
private struct ServerIdentityReader {
    let origins: [String: ConfigurationOrigin]
    private(set) var problems: [ConfigurationProblem] = []
    private var warnings: [String] = []

    private static let certificateKey = "server.tls.certificate"
    private static let keyKey = "server.tls.key"
    private static let authoritiesKey = "server.tls.client_ca"

    init(origins: [String: ConfigurationOrigin]) { self.origins = origins }

    /// - Returns: `nil` if there are problems.
    mutating func read(_ tls: Configuration.TLS) -> ServerIdentity? {
        let chain = certificates(tls.certificate, Self.certificateKey)
        let key = key(tls.key)
        var authorities: [NIOSSLCertificate] = []
        if !tls.clientCA.isEmpty { authorities = certificates(tls.clientCA, Self.authoritiesKey) }
        guard problems.isEmpty, let own = chain.first, let key else { return nil }
        let certificate = CertificateSummary(own)
        judge(certificate, tls.certificate)
        for authority in authorities where CertificateSummary(authority).isOver(at: .now) {
            let subject = CertificateSummary(authority).subject
            warnings.append("\(Self.authoritiesKey): \(shown(tls.clientCA)): the certificate of \(subject) has expired")
        }
        do {
            return ServerIdentity(
                context: try NIOSSLContext(configuration: Self.settings(chain, key, authorities)),
                certificate: certificate,
                authority: authorities.map { CertificateSummary($0) }
                    .min { $0.notAfter.secondsSince1970 < $1.notAfter.secondsSince1970 },
                warnings: warnings)
        } catch NIOSSLError.failedToLoadPrivateKey {
            let path = shown(tls.certificate)
            report(Self.keyKey, tls.key, "is not the key of the certificate in \(path), whose first one counts")
        } catch {
            report(Self.certificateKey, tls.certificate, "can't be used: \(HandshakeFailure.words(error))")
        }
        return nil
    }

    private static func settings(
        _ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey, _ authorities: [NIOSSLCertificate]
    ) -> TLSConfiguration {
        var settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        settings.minimumTLSVersion = .tlsv12
        // Of TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 §4.2).
        settings.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        settings.applicationProtocols = ["http/1.1"]
        settings.shutdownTimeout = .seconds(1)
        if !authorities.isEmpty {
            // There is no name to compare: what the subject may do is for the tokens to say.
            settings.certificateVerification = .noHostnameVerification
            settings.trustRoots = .certificates(authorities)
            settings.sendCANameList = true
        }
        return settings
    }

    private mutating func certificates(_ path: String, _ key: String) -> [NIOSSLCertificate] {
        guard let file = file(path, key) else { return [] }
        let pem = PEMLabels(file.octets)
        guard pem.hasCertificate else {
            report(key, path, "has no certificate in PEM form (BEGIN CERTIFICATE)\(pem.hint)")
            return []
        }
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(file.octets), !certificates.isEmpty else {
            report(key, path, "has a certificate that can't be read: it is damaged, or no X.509")
            return []
        }
        return certificates
    }

    private mutating func key(_ path: String) -> NIOSSLPrivateKey? {
        guard let file = file(path, Self.keyKey) else { return nil }
        let pem = PEMLabels(file.octets)
        if pem.isEncrypted {
            report(Self.keyKey, path, "is encrypted, and nobody is there to type the passphrase: decrypt it")
            return nil
        }
        guard pem.hasKey else {
            report(Self.keyKey, path, "has no private key in PEM form (BEGIN PRIVATE KEY)\(pem.hint)")
            return nil
        }
        guard let key = try? NIOSSLPrivateKey(bytes: file.octets, format: .pem) else {
            report(Self.keyKey, path, "has a private key that can't be read: it is damaged, or neither RSA nor ECDSA")
            return nil
        }
        if file.isReadableByOthers || file.isWritableByOthers {
            warnings.append("\(Self.keyKey): \(shown(path)): others than its owner may read or write it: chmod 600")
        }
        return key
    }

    private mutating func judge(_ certificate: CertificateSummary, _ path: String) {
        let day = { (time: WallTime) in String(decoding: CalendarTime(time).rfc3339.prefix(10), as: UTF8.self) }
        if certificate.isOver(at: .now) {
            let end = day(certificate.notAfter)
            warnings.append("\(Self.certificateKey): \(shown(path)): it has expired on \(end): clients refuse it")
        } else if certificate.isEarly(at: .now) {
            let start = day(certificate.notBefore)
            warnings.append(
                "\(Self.certificateKey): \(shown(path)): it is not valid before \(start): clients refuse it")
        }
    }

    private mutating func file(_ path: String, _ key: String) -> RegularFile? {
        do throws(RegularFile.Failure) {
            return try RegularFile(path: path, limit: ServerIdentity.maximumOctets)
        } catch {
            report(key, path, error.reason)
            return nil
        }
    }

    private func shown(_ path: String) -> String { FileReason.absolute(path).escapingControls }

    private mutating func report(_ key: String, _ path: String, _ message: String) {
        let message = "\(shown(path)): \(message)"
        problems.append(ConfigurationProblem(origin: origins[key], key: key, message: message))
    }
}

/// What a PEM file has, by its labels (RFC 7468).
private struct PEMLabels {
    let hasCertificate: Bool
    let hasKey: Bool
    let isEncrypted: Bool
    /// What the file has instead of what is looked for.
    let hint: String

    init(_ octets: [UInt8]) {
        let text = String(decoding: octets, as: UTF8.self)
        let labels = text.split(separator: "\n").compactMap { line -> Substring? in
            guard line.hasPrefix("-----BEGIN "), let end = line.dropFirst(11).firstRange(of: "-----") else {
                return nil
            }
            return line.dropFirst(11)[..<end.lowerBound]
        }
        hasCertificate = labels.contains { $0 == "CERTIFICATE" || $0.hasSuffix(" CERTIFICATE") }
        hasKey = labels.contains { $0.hasSuffix("PRIVATE KEY") }
        isEncrypted = labels.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
        if let label = labels.first {
            hint = ": it has a \(String(label).shortened)"
        } else {
            // The octet of a sequence, with which each certificate and key in DER begins.
            hint = octets.first == 0x30 ? ": it may be in DER form, which openssl converts" : ""
        }
    }
}
