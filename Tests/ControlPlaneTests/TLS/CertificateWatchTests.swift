import Testing

@testable import ControlPlane

/// When people are warned of a certificate's end.
@Suite struct CertificateWatchTests {
    private static let day = 86_400
    private let start = WallTime(millisecondsSince1970: 1_700_000_000_000)

    private func certificate(days: Int, from: Int = -10) -> CertificateSummary {
        CertificateSummary(
            subject: "CN=a", notBefore: start.advanced(bySeconds: from * Self.day),
            notAfter: start.advanced(bySeconds: days * Self.day))
    }

    @Test func `its days and its state follow its dates`() {
        let certificate = certificate(days: 20)
        func at(_ seconds: Int) -> (Int64, CertificateSummary.State) {
            let now = start.advanced(bySeconds: seconds)
            return (certificate.daysLeft(at: now), certificate.state(at: now))
        }
        #expect(at(0) == (20, .pass))
        #expect(at(1) == (19, .pass))
        #expect(at(6 * Self.day) == (14, .pass))
        #expect(at(6 * Self.day + 1) == (13, .warn))
        #expect(at(20 * Self.day) == (0, .warn))
        #expect(at(20 * Self.day + 1) == (-1, .fail))
        #expect(at(21 * Self.day) == (-1, .fail))
        #expect(at(21 * Self.day + 1) == (-2, .fail))
        #expect(at(-11 * Self.day).1 == .fail)
    }

    @Test func `it is told once a day, from 14 days before its end on`() {
        var watch = CertificateWatch(owner: .server)
        let certificate = certificate(days: 20)
        var told: [Int] = []
        for hour in 0..<(24 * 22) {
            let now = start.advanced(bySeconds: hour * 3600 + 1)
            if watch.look(at: certificate, now: now) != nil { told.append(hour) }
        }
        #expect(told == Array(stride(from: 24 * 6, to: 24 * 22, by: 24)))
    }

    @Test func `another one is told at once, and so it is if the clock was put back`() {
        var watch = CertificateWatch(owner: .server)
        let now = start
        #expect(watch.look(at: nil, now: now) == nil)
        #expect(watch.look(at: certificate(days: 3), now: now)?.contains("ends soon") == true)
        #expect(watch.look(at: certificate(days: 3), now: now) == nil)
        #expect(watch.look(at: certificate(days: 2), now: now) != nil)
        #expect(watch.look(at: certificate(days: 40), now: now) == nil)
        #expect(watch.look(at: certificate(days: -1), now: now)?.contains("has expired") == true)
        #expect(watch.look(at: certificate(days: 9, from: 1), now: now)?.contains("not valid yet") == true)
        let before = start.advanced(bySeconds: -3600)
        #expect(watch.look(at: certificate(days: 9, from: 1), now: before) != nil)
        var authorities = CertificateWatch(owner: .authority)
        #expect(authorities.look(at: certificate(days: 3), now: now)?.contains("server.tls.client_ca ends") == true)
    }
}
