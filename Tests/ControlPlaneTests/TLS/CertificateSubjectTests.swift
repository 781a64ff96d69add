import Foundation
import NIOSSL
import Testing

@testable import ControlPlane

/// The subject that stands for a token: what openssl prints.
@Suite struct CertificateSubjectTests {
    @Test(arguments: [
        "/CN=orders", "/C=DE/ST=Berlin/L=Berlin/O=Example/OU=Ops/CN=orders.example",
        "/DC=org/DC=example/UID=7+CN=ci/emailAddress=ci@example.org",
        "/O=Acm\u{e9}, Inc+OU= x /CN=#orders <a>;b\"c\\\\d=e", "/CN= ", "/CN=##",
        "/CN=\u{1F600}\u{4F60}", "/1.2.3.4.5=odd/CN=x", "/serialNumber=12/SN=s/GN=g/title=t/street=s/CN=y",
    ])
    func `it is the one that openssl prints`(subject: String) throws {
        let authority = try TestAuthority()
        try authority.selfSign("it", subject)
        let printed = try authority.output(
            "x509", "-in", "it.pem", "-noout", "-subject", "-nameopt", "RFC2253")
        let certificate = try #require(try NIOSSLCertificate.fromPEMFile(authority.path("it.pem")).first)
        let text = CertificateSubject.text(ofCertificate: try certificate.toDERBytes())
        #expect("subject=\(text ?? "nothing")\n" == printed)
        #expect(text?.utf8.allSatisfy { (0x20..<0x7F).contains($0) } == true)
    }

    @Test func `a subject that is too long stands for nobody, and so does none`() throws {
        let authority = try TestAuthority()
        // openssl limits a single one to 64 characters.
        let long = (0..<12).map { "/OU=\($0)\(String(repeating: "x", count: 50))" }.joined()
        for subject in [long, "/"] {
            try authority.selfSign("it", subject)
            let certificate = try #require(try NIOSSLCertificate.fromPEMFile(authority.path("it.pem")).first)
            #expect(CertificateSubject.text(ofCertificate: try certificate.toDERBytes()) == nil)
        }
    }

    @Test func `octets that are no certificate end no process`() throws {
        let authority = try TestAuthority()
        try authority.selfSign("it", "/C=DE/O=Example+OU=a/CN=orders")
        let certificate = try #require(try NIOSSLCertificate.fromPEMFile(authority.path("it.pem")).first)
        let good = try certificate.toDERBytes()
        for length in 0..<good.count {
            #expect(CertificateSubject.text(ofCertificate: Array(good.prefix(length))) == nil)
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bad = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bad[Int.random(in: 0..<min(bad.count, 160), using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            if let text = CertificateSubject.text(ofCertificate: bad) {
                #expect(text.utf8.count <= CertificateSubject.maximumLength)
                #expect(text.utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(bad)")
            }
        }
    }
}
