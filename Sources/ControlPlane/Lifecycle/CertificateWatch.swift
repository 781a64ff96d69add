import Logging
import ServiceLifecycle

/// Finds when to warn of a certificate's end: once a day, from 14 days before it on. Pure: time is passed in.
struct CertificateWatch {
    private static let millisecondsOfDay: Int64 = 86_400_000

    private var told: (certificate: CertificateSummary, at: WallTime)?

    /// - Returns: the words, if there is something to say now.
    mutating func look(at certificate: CertificateSummary?, now: WallTime) -> String? {
        guard let certificate, certificate.state(at: now) != .pass else { return nil }
        if let told, told.certificate == certificate,
            (0..<Self.millisecondsOfDay).contains(now.millisecondsSince1970 - told.at.millisecondsSince1970)
        {
            return nil
        }
        told = (certificate, now)
        if certificate.isOver(at: now) { return "the certificate of the REST API has expired: clients refuse it" }
        if certificate.isEarly(at: now) { return "the certificate of the REST API is not valid yet: clients refuse it" }
        return "the certificate of the REST API ends soon"
    }
}

/// Warns of the certificate's end.
struct CertificateWatchService: Service {
    /// So often it is looked at, since the clock may be set.
    private static let interval = Duration.seconds(60)

    let listener: SecureListener
    let logger: Logger

    func run() async throws {
        var watch = CertificateWatch()
        let looks = Ticker(every: Self.interval, on: EventLoopTimers.shared)
        for await _ in looks.ticks.cancelOnGracefulShutdown() {
            let certificate = listener.identity?.certificate
            guard let certificate, let words = watch.look(at: certificate, now: .now) else { continue }
            logger.warning("\(words)", metadata: certificate.metadata(at: .now))
        }
    }
}

extension CertificateSummary {
    /// What a log line has of it.
    func metadata(at now: WallTime) -> Logger.Metadata {
        [
            "subject": "\(subject)",
            "not_after": "\(String(decoding: CalendarTime(notAfter).rfc3339, as: UTF8.self))",
            "days_left": "\(daysLeft(at: now))",
        ]
    }
}
