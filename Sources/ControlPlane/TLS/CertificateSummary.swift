import NIOSSL

/// What people want to know of the server's certificate.
struct CertificateSummary: Sendable, Equatable {
    /// What its dates mean at a moment.
    enum State: String, Sendable {
        case pass
        /// It ends within ``CertificateSummary/warningDays`` days.
        case warn
        /// It has ended, or is not valid yet: clients refuse it.
        case fail
    }

    /// How many days before its end people are warned.
    static let warningDays: Int64 = 14
    private static let secondsOfDay: Int64 = 86_400

    /// As in RFC 4514; empty: it has none, or a very long one.
    var subject: String
    var notBefore: WallTime
    /// The last second in which it is valid.
    var notAfter: WallTime

    /// What the dates mean.
    func state(at now: WallTime) -> State {
        if isEarly(at: now) || isOver(at: now) { return .fail }
        return daysLeft(at: now) < Self.warningDays ? .warn : .pass
    }

    /// Whether it is not valid yet.
    func isEarly(at now: WallTime) -> Bool { now.secondsSince1970 < notBefore.secondsSince1970 }

    /// Whether it has ended.
    func isOver(at now: WallTime) -> Bool { now.secondsSince1970 > notAfter.secondsSince1970 }

    /// Whole days until its end; below 0: it has ended.
    func daysLeft(at now: WallTime) -> Int64 {
        let seconds = notAfter.secondsSince1970 - now.secondsSince1970
        return seconds >= 0 ? seconds / Self.secondsOfDay : (seconds + 1) / Self.secondsOfDay - 1
    }
}

extension CertificateSummary {
    /// What is in a certificate.
    init(_ certificate: NIOSSLCertificate) {
        subject = (try? certificate.toDERBytes()).flatMap { CertificateSubject.text(ofCertificate: $0) } ?? ""
        notBefore = WallTime(millisecondsSince1970: 0).advanced(bySeconds: certificate.notValidBefore)
        notAfter = WallTime(millisecondsSince1970: 0).advanced(bySeconds: certificate.notValidAfter)
    }
}
