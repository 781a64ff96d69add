import Foundation
import Synchronization
import Testing

/// A real etcd with one member, on ports and in a folder of its own.
///
/// It can be stopped, killed, frozen, wiped and started again. Then it is the same member on the same ports.
final class EtcdProcess: Sendable {
    /// How tokens are made when a user logs in with a password.
    enum Tokens: Sendable {
        /// The token ends after so many seconds without use.
        case simple(seconds: Int)
        /// The token ends after so many seconds.
        case signed(seconds: Int)
    }

    let name: String
    /// The endpoint for clients without TLS.
    let endpoint: Endpoint
    /// The endpoint for clients with TLS and a client certificate. The port is open only if there are certificates.
    let secureEndpoint: Endpoint
    /// The endpoint for the other members.
    let peer: Endpoint
    private let folder: TemporaryFolder
    private let certificates: Certificates?
    private let tokens: Tokens?
    private let options: [String]
    private let process = Mutex<ChildProcess?>(nil)

    /// A member that is not started.
    ///
    /// - Parameter options: further command line options.
    init(
        name: String = "only", certificates: Certificates? = nil, tokens: Tokens? = nil, options: [String] = []
    ) throws {
        self.name = name
        self.options = options
        self.certificates = certificates
        self.tokens = tokens
        folder = try TemporaryFolder()
        endpoint = try .unused()
        secureEndpoint = try .unused()
        peer = try .unused()
    }

    /// A single member that is started.
    static func started(
        certificates: Certificates? = nil, tokens: Tokens? = nil, options: [String] = []
    ) throws -> EtcdProcess {
        let etcd = try EtcdProcess(certificates: certificates, tokens: tokens, options: options)
        try etcd.start()
        return etcd
    }

    var client: EtcdClient { EtcdClient(endpoint) }

    /// The settings with which a server uses it.
    ///
    /// - Parameters:
    ///   - endpoint: the endpoint to use; the member's own by default.
    ///   - timeout: short if etcd is going to be away. On a busy machine etcd may take seconds.
    func settings(_ endpoint: Endpoint? = nil, timeout: String = "5s") -> [String: String] {
        Self.settings(endpoints: [endpoint ?? self.endpoint], timeout: timeout)
    }

    /// The settings with which a server uses any of several members.
    static func settings(endpoints: [Endpoint], timeout: String) -> [String: String] {
        [
            "storage.type": "etcd", "storage.etcd.endpoints": endpoints.map { "http://\($0)" }.joined(separator: ","),
            "storage.etcd.timeout": timeout, "heartbeat.cleanup_interval": "200ms", "dns.workers": "2",
        ]
    }

    /// Starts it with the data that it has.
    ///
    /// - Parameters:
    ///   - members: all members of its cluster; by default it is alone.
    ///   - isAwaited: whether it must answer before this returns. One of several members never does so alone.
    func start(members: [EtcdProcess] = [], isAwaited: Bool = true) throws {
        let members = members.isEmpty ? [self] : members
        let certificate = certificates.map { _ in ",https://\(secureEndpoint)" } ?? ""
        var arguments = [
            "--name", name, "--data-dir", "\(folder.path)/data",
            "--listen-client-urls", "http://\(endpoint)\(certificate)",
            "--advertise-client-urls", "http://\(endpoint)",
            "--listen-peer-urls", "http://\(peer)", "--initial-advertise-peer-urls", "http://\(peer)",
            "--initial-cluster", members.map { "\($0.name)=http://\($0.peer)" }.joined(separator: ","),
            // The log does not go into the pipe, because nobody may read that for long.
            "--logger", "zap", "--log-level", "warn", "--log-outputs", "\(folder.path)/log",
        ]
        if let certificates {
            arguments += [
                "--cert-file", certificates.server.certificate, "--key-file", certificates.server.key,
                "--client-cert-auth", "--trusted-ca-file", certificates.authority.certificate,
            ]
        }
        // This is the lowest cost that is allowed.
        if tokens != nil { arguments += ["--bcrypt-cost", "4"] }
        switch tokens {
        case .simple(let seconds): arguments += ["--auth-token-ttl", "\(seconds)"]
        case .signed(let seconds):
            let keys = try Certificates.signingKeys(in: folder)
            let lifetime = "sign-method=RS256,ttl=\(seconds)s"
            arguments += ["--auth-token", "jwt,pub-key=\(keys.public),priv-key=\(keys.private),\(lifetime)"]
        case nil: break
        }
        let child = try Command.start(["etcd"] + arguments + options, folder: folder.path)
        process.withLock { $0 = child }
        if isAwaited { try waitUntilHealthy() }
    }

    /// Waits until it has a leader and accepts changes.
    func waitUntilHealthy() throws {
        try eventually(within: .seconds(20), "etcd is healthy; \(log)") {
            guard let response = try? HTTPConnection(endpoint).request("GET", "/health") else { return false }
            return response.text.contains(#""health":"true""#)
        }
    }

    /// Ends it in good order, as for an update.
    func stop() throws {
        let child = process.withLock { $0 }
        child?.signal(SIGTERM)
        _ = try child?.waitForExit()
    }

    /// Ends it with kill -9.
    func kill() throws {
        try process.withLock { $0 }?.end()
    }

    /// Stops it with SIGSTOP: connections stay, and nothing is answered.
    func freeze() { process.withLock { $0 }?.signal(SIGSTOP) }

    /// Continues it with SIGCONT.
    func thaw() { process.withLock { $0 }?.signal(SIGCONT) }

    /// Removes its data while it is not running, so that it starts empty.
    func wipe() throws {
        try FileManager.default.removeItem(atPath: "\(folder.path)/data")
    }

    private var log: String { (try? String(contentsOfFile: "\(folder.path)/log", encoding: .utf8)) ?? "no log" }
}
