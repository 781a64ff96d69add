public import Engine
public import Logging

/// Everything that can be configured, with a value for each key; the initial values are the defaults.
///
/// ``ConfigurationSchema`` says what each key means, its range, and its name in YAML and in the environment.
public struct Configuration: Sendable, Equatable {
    /// `server`: the REST API.
    public var server = Server()
    /// `dns`: the DNS service.
    public var dns = DNS()
    /// `storage`: where instances are kept.
    public var storage = Storage()
    /// `registry`: what may be registered.
    public var registry = RegistryLimits()
    /// `heartbeat`: when instances expire.
    public var heartbeat = Heartbeat()
    /// `checks`: how health checks are done.
    public var checks = Checks()
    /// `metrics`: what `GET /metrics` shows.
    public var metrics = Metrics()
    /// `log`: what is logged, and how.
    public var log = Log()
    /// `query_log`: which queries are logged, and where.
    public var queryLog = QueryLog()
    /// `user`: whom the process becomes once its sockets are open, if root has started it; empty: nobody else.
    public var user = ""

    /// All defaults.
    public init() {}
}

extension Configuration {
    /// `server`: the REST API.
    public struct Server: Sendable, Equatable {
        /// The address of the HTTP listener.
        public var listen = SocketAddress(.v4(0x7F00_0001), port: 8080)
        /// Files for HTTPS.
        public var tls = TLS()
        /// The file of bearer tokens; empty: no token is needed.
        public var tokensFile = ""
        /// The limit of requests for each client address.
        public var rateLimit = RateLimit()
        /// Open connections at most.
        public var maximumConnections = 4096
        /// Open connections of one client address at most.
        public var maximumPerClient = 256
        /// Names that the `Host` field may have besides addresses, `localhost` and the machine's own name; `*`: any.
        public var hosts: [String] = []

        /// All defaults.
        public init() {}
    }

    /// `server.tls`: files for HTTPS, each a path; empty: not used.
    public struct TLS: Sendable, Equatable {
        /// The certificate chain (PEM).
        public var certificate = ""
        /// The certificate's private key (PEM).
        public var key = ""
        /// The certificate authorities (PEM); one of them must have signed a client's certificate.
        public var clientCA = ""

        /// All defaults.
        public init() {}
    }

    /// `server.rate_limit`: the limit of requests for each client address.
    public struct RateLimit: Sendable, Equatable {
        /// Requests a second; 0: no limit.
        public var requestsPerSecond = 0

        /// All defaults.
        public init() {}
    }

    /// `storage`: where instances are kept.
    public struct Storage: Sendable, Equatable {
        /// The store in use.
        public var type = StorageType.sqlite
        /// Settings of the SQLite store.
        public var sqlite = SQLite()
        /// Settings of the etcd store.
        public var etcd = Etcd()

        /// All defaults.
        public init() {}
    }

    /// `storage.type`: a store.
    public enum StorageType: String, CaseIterable, Sendable {
        /// A file on this machine.
        case sqlite
        /// This process's memory: a restart forgets everything.
        case memory
        /// An etcd cluster.
        case etcd
    }

    /// `storage.sqlite`: settings of the SQLite store.
    public struct SQLite: Sendable, Equatable {
        /// The database's path.
        public var path = "data/kong-discovery.db"

        /// All defaults.
        public init() {}
    }

    /// `storage.etcd`: settings of the etcd store.
    public struct Etcd: Sendable, Equatable {
        /// URLs of the cluster's members.
        public var endpoints = ["http://127.0.0.1:2379"]
        /// The start of every key.
        public var prefix = "/kong-discovery"
        /// How long a request may take.
        public var timeout = Duration.seconds(5)
        /// The user; empty: no authentication.
        public var username = ""
        /// The user's password. A secret.
        public var password = ""
        /// The path of the certificate authorities (PEM) that signed the members' certificates; empty: the system's.
        public var ca = ""
        /// The path of the client certificate (PEM); empty: none.
        public var certificate = ""
        /// The path of the client certificate's private key (PEM); empty: none.
        public var key = ""
        /// The path of a file with the last known state, for starts without etcd; empty: none.
        public var snapshot = ""

        /// All defaults.
        public init() {}
    }

    /// `registry`: what may be registered.
    public struct RegistryLimits: Sendable, Equatable {
        /// Instances at most.
        public var maximumInstances = 2_000_000
        /// Names in DNS at most, including those of tags and protocols.
        public var maximumNames = 8_000_000
        /// Instances of one service at most.
        public var maximumPerName = 100_000
        /// Networks whose addresses may be registered; empty: all but those that nobody may register.
        public var networks: [IPNetwork] = []

        /// All defaults.
        public init() {}
    }

    /// `heartbeat`: when instances expire.
    public struct Heartbeat: Sendable, Equatable {
        /// An instance's ttl when it has none of its own; whole seconds, 1 or more.
        public var timeout = Duration.seconds(30)
        /// How often expired instances are looked for.
        public var cleanupInterval = Duration.seconds(1)
        /// The share (0–1) of one service's instances above which they do not expire together, and of all targets of
        /// checks above which failures change nothing for a while; 1: none.
        public var massExpiryBrake = 0.5

        /// All defaults.
        public init() {}
    }

    /// `checks`: how health checks are done.
    public struct Checks: Sendable, Equatable {
        /// Runs under way at most.
        public var maximumConcurrent = 1000
        /// Networks that checks may connect to; empty: all whose addresses may be registered.
        public var allow: [IPNetwork] = []

        /// All defaults.
        public init() {}
    }

    /// `metrics`: what `GET /metrics` shows.
    public struct Metrics: Sendable, Equatable {
        /// Whether it has figures of each service.
        public var perService = false

        /// All defaults.
        public init() {}
    }

    /// `query_log`: which queries are logged, and where.
    public struct QueryLog: Sendable, Equatable {
        /// The share of queries that are logged, 0–1.
        public var sample = 0.0
        /// The path of the file; empty: the log.
        public var file = ""

        /// All defaults.
        public init() {}
    }

    /// `log`: what is logged, and how.
    public struct Log: Sendable, Equatable {
        /// The lowest level that is logged.
        public var level = Logger.Level.info
        /// The form of a line.
        public var format = LogFormat.text

        /// All defaults.
        public init() {}
    }
}

/// `log.format`: the form of a log line.
public enum LogFormat: String, CaseIterable, Sendable {
    /// For people: time, level, message and `key=value` pairs.
    case text
    /// For programs: one JSON object.
    case json
}
