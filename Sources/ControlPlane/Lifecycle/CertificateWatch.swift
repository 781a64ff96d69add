import Logging
import ServiceLifecycle

/// Finds when to warn of a certificate's end: once a day, from 14 days before it on. Pure: time is passed in.
struct CertificateWatch {
    /// Whose certificate it is.
    enum Owner: String {
        case server = "the certificate of the REST API"
        case authority = "a certificate in server.tls.client_ca"

        /// What follows when it is not valid.
        fileprivate var consequence: String {
            switch self {
            case .server: "clients refuse it"
            case .authority: "clients whose certificates it has signed are refused"
            }
        }
    }

    private static let millisecondsOfDay: Int64 = 86_400_000

    let owner: Owner
    private var told: (certificate: CertificateSummary, at: WallTime)?

    init(owner: Owner) { self.owner = owner }

    /// - Returns: the words, if there is something to say now.
    mutating func look(at certificate: CertificateSummary?, now: WallTime) -> String? {
        guard let certificate, certificate.state(at: now) != .pass else { return nil }
        if let told, told.certificate == certificate,
            (0..<Self.millisecondsOfDay).contains(now.millisecondsSince1970 - told.at.millisecondsSince1970)
        {
            return nil
        }
        told = (certificate, now)
        if certificate.isOver(at: now) { return "\(owner.rawValue) has expired: \(owner.consequence)" }
        if certificate.isEarly(at: now) { return "\(owner.rawValue) is not valid yet: \(owner.consequence)" }
        return "\(owner.rawValue) ends soon"
    }
}

/// Warns of the ends of the server's certificate and of those that clients' are checked by.
struct CertificateWatchService: Service {
    /// So often it is looked at, since the clock may be set.
    private static let interval = Duration.seconds(60)

    let listener: SecureListener
    let logger: Logger

    func run() async throws {
        var watches = [CertificateWatch(owner: .server), CertificateWatch(owner: .authority)]
        let looks = Ticker(every: Self.interval, on: EventLoopTimers.shared)
        for await _ in looks.ticks.cancelOnGracefulShutdown() {
            guard let identity = listener.identity else { continue }
            for index in watches.indices {
                let certificate =
                    switch watches[index].owner {
                    case .server: identity.certificate
                    case .authority: identity.authority
                    }
                guard let certificate, let words = watches[index].look(at: certificate, now: .now) else { continue }
                logger.warning("\(words)", metadata: certificate.metadata(at: .now))
            }
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
