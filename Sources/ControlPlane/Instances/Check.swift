/// A health check of an instance as registered, with defaults filled in.
struct Check: Sendable, Equatable {
    /// How many checks an instance may have.
    static let maximumCount = 8
    /// ``timeout`` when it is not given; never longer than ``interval``.
    static let defaultTimeout = Duration.seconds(2)

    /// 1–64 of `A-Za-z0-9._-`, but not `.` or `..`; unique within the instance.
    var name: String
    /// What is done, and what counts as a success.
    var kind: Kind
    /// The time from the start of one run to the start of the next; 1 s to 1 h.
    var interval = Duration.seconds(10)
    /// How long a run may take; 1 ms to ``interval``.
    var timeout = Self.defaultTimeout
    /// After how many successes in a row it passes again; 1–100.
    var rise = 2
    /// After how many failures in a row it is critical; 1–100.
    var fall = 3
    /// The status before the first result: passing or critical.
    var initial = CheckStatus.passing
    /// The instance is removed when the check has been critical for so long; `nil`: never.
    var deregisterAfter: Duration?

    /// `type` in the API, with the fields of each.
    enum Kind: Sendable, Equatable {
        case http(HTTPCheck)
        /// The connection is accepted; `nil`: at the instance's port.
        case tcp(port: UInt16?)
        case tls(TLSCheck)
        case grpc(GRPCCheck)
        /// Results are reported from outside; critical when none was for `ttl`, 1 s to 7 days.
        case ttl(Duration)
    }
}

extension Check {
    /// The types of checks that this server runs itself, as metrics name them; `https` is an `http`, too.
    enum RunType: Int, CaseIterable, Sendable {
        case http, tcp, tls, grpc

        var name: String {
            switch self {
            case .http: "http"
            case .tcp: "tcp"
            case .tls: "tls"
            case .grpc: "grpc"
            }
        }
    }

    /// The type of its runs; `nil`: it has none.
    var runType: RunType? {
        switch kind {
        case .http: .http
        case .tcp: .tcp
        case .tls: .tls
        case .grpc: .grpc
        case .ttl: nil
        }
    }

    /// The runs of each type.
    struct Runs: Sendable, Equatable {
        private var runs = [CheckRuns](repeating: CheckRuns(), count: RunType.allCases.count)

        /// Those of a type.
        subscript(type: RunType) -> CheckRuns { runs[type.rawValue] }

        /// Adds a run.
        mutating func add(_ result: CheckRuns.Result, _ type: RunType, seconds: Double) {
            runs[type.rawValue].add(result, seconds: seconds)
        }
    }
}

/// `status` of a check in the API, from the best to the worst.
enum CheckStatus: String, CaseIterable, Sendable, Comparable {
    /// Everything is fine.
    case passing
    /// Something is wrong, but DNS still answers with the instance.
    case warning
    /// The instance does not work.
    case critical

    private var severity: Int {
        switch self {
        case .passing: 0
        case .warning: 1
        case .critical: 2
        }
    }

    static func < (one: CheckStatus, other: CheckStatus) -> Bool { one.severity < other.severity }
}

/// An HTTP request, and the response that is a success.
struct HTTPCheck: Sendable, Equatable {
    /// Methods without an effect (RFC 9110 §9.2.1): a registrant must not change anything through the server.
    enum Method: String, CaseIterable, Sendable {
        case get = "GET"
        case head = "HEAD"
    }

    /// A field of the request.
    struct Field: Sendable, Equatable {
        /// A token (RFC 9110 §5.6.2).
        var name: String
        /// Printable ASCII.
        var value: String
    }

    /// Whether it is `https`.
    var usesTLS = false
    /// The request's target: begins with `/`, printable ASCII without spaces, at most 2,048 octets.
    var path = "/"
    var method = Method.get
    /// The `Host` field, with `https` also the name in the certificate; `nil`: the instance's address.
    var host: String?
    /// The other fields of the request.
    var headers: [Field] = []
    /// The statuses that are a success.
    var expect = ExpectedStatuses.successful
    /// Text that the first 64 KiB of the response's body must contain; 1–4,096 octets; `nil`: any body is good.
    var body: String?
    /// Whether the certificate must be valid.
    var verify = true
    /// `nil`: the instance's port.
    var port: UInt16?
}

/// A TLS handshake.
struct TLSCheck: Sendable, Equatable {
    /// The name in the certificate, which is also sent (SNI); `nil`: the instance's address.
    var serverName: String?
    /// Whether the certificate must be valid.
    var verify = true
    /// `nil`: the instance's port.
    var port: UInt16?
}

/// A call of `grpc.health.v1.Health/Check`.
struct GRPCCheck: Sendable, Equatable {
    /// The service that is asked for; at most 255 octets; empty: the whole server.
    var service = ""
    /// Whether HTTP/2 is spoken over TLS.
    var usesTLS = false
    /// The name in the certificate; `nil`: the instance's address.
    var serverName: String?
    /// Whether the certificate must be valid.
    var verify = true
    /// `nil`: the instance's port.
    var port: UInt16?
}
