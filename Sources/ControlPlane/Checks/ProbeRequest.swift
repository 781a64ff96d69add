import Engine

/// What libcurl is told to do for one run of a check. Pure.
///
/// No name is ever resolved: where a name must be in the request or the certificate, the connection is pinned to the
/// registered address and the check's port.
struct ProbeRequest: Sendable, Equatable {
    /// What is exchanged over the connection.
    enum Exchange: Sendable, Equatable {
        /// Nothing: it is enough that it is accepted, and with TLS that the handshake succeeds.
        case none
        case get
        case head
        /// A call over HTTP/2 with this body.
        case call([UInt8])
    }

    /// Scheme, host, port and path.
    var url: String
    /// The address and port that the connection goes to.
    var address: IPAddress
    var port: UInt16
    var exchange: Exchange
    /// The header lines in libcurl's form.
    var fields: [String] = []
    var usesTLS = false
    /// Whether the certificate must be valid.
    var verify = true
    /// The text that the body must contain.
    var body: String?
    /// The limit for everything.
    var timeout: Duration

    /// Whether libcurl must be told another address than the URL's.
    var isPinned: Bool { !url.hasPrefix("\(usesTLS ? "https" : "http")://\(Self.authority(address, port))/") }
    /// The other address in libcurl's form: for all hosts and ports, to this one.
    var connectTo: String { "::\(Self.authority(address, port))" }

    /// - Returns: `nil` for a check without runs.
    init?(_ check: Check, address: IPAddress, instancePort: UInt16) {
        self.address = address
        timeout = check.timeout
        func url(_ name: String?, _ path: String) -> String {
            let scheme = usesTLS ? "https" : "http"
            // Over plain HTTP the name is in the field Host alone.
            let host = usesTLS ? name.map(Self.host) : nil
            return "\(scheme)://\(host ?? Self.host(address)):\(port)\(path)"
        }
        self.url = ""
        switch check.kind {
        case .http(let http):
            port = http.port ?? instancePort
            (usesTLS, verify, body) = (http.usesTLS, http.verify, http.body)
            exchange = http.method == .head ? .head : .get
            fields = Self.fields(http)
            let name = http.host.flatMap { Authority($0)?.host.text }
            self.url = url(name, http.path)
        case .tcp(let port):
            self.port = port ?? instancePort
            exchange = .none
            self.url = url(nil, "/")
        case .tls(let tls):
            port = tls.port ?? instancePort
            (usesTLS, verify) = (true, tls.verify)
            exchange = .none
            self.url = url(tls.serverName, "/")
        case .grpc(let grpc):
            port = grpc.port ?? instancePort
            (usesTLS, verify) = (grpc.usesTLS, grpc.verify)
            exchange = .call(HealthCall.request(grpc.service))
            // Without `Expect:` libcurl would ask for permission to send the body.
            fields = [
                "Content-Type: application/grpc", "TE: trailers", "User-Agent: \(Self.userAgent)", "Accept:", "Expect:",
            ]
            self.url = url(grpc.serverName, HealthCall.path)
        case .ttl: return nil
        }
    }

    private static let userAgent = "kong-discovery-check"

    private static func fields(_ http: HTTPCheck) -> [String] {
        var fields = http.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        if let host = http.host { fields.append("Host: \(host)") }
        if !http.headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
            fields.append("User-Agent: \(userAgent)")
        }
        // The target closes the connection, and has it in TIME_WAIT, if it likes.
        fields.append("Connection: close")
        return fields
    }

    private static func authority(_ address: IPAddress, _ port: UInt16) -> String { "\(host(address)):\(port)" }

    private static func host(_ address: IPAddress) -> String { address.isIPv4 ? "\(address)" : "[\(address)]" }

    private static func host(_ name: String) -> String { IPAddress(name).map(host) ?? name }
}

extension Authority.Host {
    /// The name or address, without brackets.
    fileprivate var text: String {
        switch self {
        case .name(let name): name
        case .address(let address): address.description
        }
    }
}
