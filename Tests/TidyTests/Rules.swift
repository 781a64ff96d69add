/// What a file of this project may do. One table for each kind of rule; an exception is a file with its reason.
enum Rules {
    /// What every file of a module may import. Apple's and the Debian libraries by module.
    static let imports: [String: Set<String>] = [
        // The data plane: no HTTP, JSON, storage, Foundation or Swift concurrency.
        "Engine": ["CEvent", "CLdns", "Synchronization"],
        // The control plane: touches no socket that carries DNS.
        "ControlPlane": [
            "Crypto", "Dashboard", "Engine", "HTTPTypes", "HeapModule", "HummingbirdCore", "Logging", "NIOCore",
            "NIOHTTP1",
            "ServiceLifecycle", "Synchronization", "UnixSignals", "Yams",
        ],
        // Files, and nothing that is done with them.
        "Dashboard": [],
        // Arguments and wiring only.
        "kong-discovery": ["ArgumentParser", "CVersion", "ControlPlane", "Logging"],
    ]

    /// What single files may import besides, and why.
    static let importExceptions: [String: [String: String]] = [
        "Sources/ControlPlane/HTTP/HTTPService.swift": [
            "NIOPosix": "the listening socket of the REST API"
        ],
        "Sources/ControlPlane/HTTP/SideThreads.swift": ["NIOPosix": "the threads"],
        "Sources/ControlPlane/Lifecycle/Account.swift": ["Glibc": "finds users, and becomes one"],
        "Sources/ControlPlane/Lifecycle/Privileges.swift": [
            "CPrivileges": "capabilities and seccomp", "Glibc": "geteuid", "NIOPosix": "the thread that opens ports",
        ],
        "Sources/ControlPlane/Lifecycle/DescriptorLimit.swift": ["Glibc": "setrlimit"],
        "Sources/ControlPlane/Lifecycle/ServiceManager.swift": ["CNotify": "messages with descriptors"],
        "Sources/ControlPlane/Lifecycle/MachineName.swift": ["Glibc": "gethostname"],
        "Sources/ControlPlane/Lifecycle/ProcessorCount.swift": [
            "CProcessor": "sched_getaffinity", "Foundation": "reads what the kernel says of the cgroup",
        ],
        "Sources/ControlPlane/Metrics/ProcessFigures.swift": [
            "Foundation": "reads what the kernel says of the process"
        ],
        "Sources/ControlPlane/Registry/Registry.swift": ["NIOPosix": "the thread that the registry runs on"],
        "Sources/ControlPlane/Basics/Moment.swift": ["FoundationEssentials": "the wall clock"],
        "Sources/ControlPlane/Basics/FileReason.swift": ["Foundation": "looks at files, and has the system's words"],
        "Sources/ControlPlane/Basics/RegularFile.swift": [
            "CFile": "what kind of file it is", "Foundation": "reads it", "Glibc": "opens it without waiting",
        ],
        "Sources/ControlPlane/Basics/WholeWrite.swift": ["Glibc": "writes to a descriptor"],
        "Sources/ControlPlane/Basics/PieceRead.swift": ["Glibc": "reads from a descriptor"],
        "Sources/ControlPlane/Basics/SpoolFile.swift": ["Glibc": "makes a file, and goes back to its beginning"],
        "Sources/ControlPlane/Basics/Timers.swift": ["NIOPosix": "the loops that the process shares"],
        "Sources/ControlPlane/Configuration/ConfigurationFile.swift": ["Foundation": "reads a file"],
        "Sources/ControlPlane/Commands/Import/InputFile.swift": ["Glibc": "reads a file or pipe"],
        "Sources/ControlPlane/Commands/Export/OutputFile.swift": ["Glibc": "writes a file and renames it"],
        "Sources/ControlPlane/Commands/Import/SkyDNSInstances.swift": ["FoundationEssentials": "base64"],
        "Sources/ControlPlane/Commands/Import/SkyDNSTree.swift": ["FoundationEssentials": "base64"],
        "Sources/ControlPlane/Terminal/StandardOutput.swift": ["Glibc": "ends by SIGPIPE when the reader has gone"],
        "Sources/ControlPlane/Terminal/Terminal.swift": ["Glibc": "asks what a descriptor leads to"],
        "Sources/ControlPlane/Checks/ProbeEasy.swift": ["CCurl": "libcurl's transfers"],
        "Sources/ControlPlane/Checks/ProbeEnd+Curl.swift": ["CCurl": "libcurl's codes"],
        "Sources/ControlPlane/Checks/ProbeMulti.swift": ["CCurl": "libcurl's loop, and epoll"],
        "Sources/ControlPlane/HTTPClient/CurlEasy.swift": ["CCurl": "libcurl's transfers"],
        "Sources/ControlPlane/HTTPClient/CurlMulti.swift": ["CCurl": "libcurl's loop"],
        "Sources/ControlPlane/HTTPClient/HTTPClientError+Curl.swift": ["CCurl": "libcurl's codes"],
        "Sources/ControlPlane/HTTPClient/HTTPClientThread.swift": ["CCurl": "pthreads"],
        "Sources/ControlPlane/Store/Etcd/Gateway/EtcdClient.swift": ["Foundation": "looks whether files are there"],
        "Sources/ControlPlane/Store/Etcd/Gateway/EtcdMessage.swift": ["FoundationEssentials": "base64"],
        "Sources/ControlPlane/Store/Etcd/Gateway/EtcdResponse.swift": ["FoundationEssentials": "base64"],
        "Sources/ControlPlane/Store/Etcd/WholeFile.swift": ["Foundation": "reads and writes a file"],
        "Sources/ControlPlane/Store/SQLite/InstanceDatabase.swift": [
            "GRDB": "the database", "Foundation": "makes its folder",
        ],
        "Sources/ControlPlane/Store/SQLite/InstanceRow.swift": ["GRDB": "rows and statements"],
        "Sources/ControlPlane/Store/SQLite/PolicyRow.swift": ["GRDB": "rows and statements"],
        "Sources/ControlPlane/Store/SQLite/InstanceSchema.swift": ["GRDB": "migrations"],
        "Sources/ControlPlane/Store/SQLite/FileLock.swift": ["Glibc": "open and flock"],
        "Sources/ControlPlane/Store/SQLite/FileIdentity.swift": ["CFile": "which file it is"],
        "Sources/ControlPlane/TLS/CertificateSummary.swift": ["NIOSSL": "certificates"],
        "Sources/ControlPlane/TLS/HandshakeFailure.swift": ["NIOSSL": "errors of TLS"],
        "Sources/ControlPlane/TLS/SecureConnectionHandler.swift": [
            "NIOSSL": "errors of TLS, and the client's certificate", "NIOTLS": "the end of a handshake",
        ],
        "Sources/ControlPlane/TLS/SecureListener.swift": ["NIOSSL": "the handler that speaks TLS"],
        "Sources/ControlPlane/TLS/ServerIdentity.swift": ["NIOSSL": "certificates, keys and settings"],
        "Sources/ControlPlane/Lifecycle/ProcessSecrecy.swift": ["Glibc": "umask and setrlimit"],
        "Sources/ControlPlane/QueryLog/QueryLogWriter.swift": [
            "NIOPosix": "the thread that writes", "Dispatch": "waits for it",
        ],
        "Sources/ControlPlane/QueryLog/QueryLogFile.swift": ["Glibc": "writes to a file"],
        "Sources/ControlPlane/Logging/LogWriter.swift": [
            "NIOPosix": "the thread that writes", "Dispatch": "waits for it",
        ],
        "Sources/ControlPlane/Logging/StandardError.swift": ["Glibc": "the number of standard error"],
        "Sources/kong-discovery/ConfigurationOptions.swift": ["Foundation": "reads the environment"],
        "Sources/kong-discovery/Program.swift": ["Glibc": "the first thread waits"],
        "Sources/kong-discovery/Serve.swift": ["Glibc": "ignores SIGPIPE"],
    ]

    /// The rooms of a module, which are its folders, from the bottom up, and which others each may name.
    static let rooms: [String: [RoomRule]] = [
        "Engine": [
            RoomRule("Basics", names: []),
            RoomRule("Counters", names: ["Basics"]),
            RoomRule("Message", names: ["Basics"]),
            RoomRule("Defence", names: ["Basics", "Message"]),
            RoomRule("Rotation", names: []),
            RoomRule("Zone", names: ["Basics", "Message", "Rotation"]),
            RoomRule("Cache", names: ["Basics", "Counters", "Message"]),
            RoomRule("Network", names: ["Basics", "Counters", "Message"]),
            RoomRule("Upstream", names: ["Basics", "Counters", "Message", "Cache", "Network"]),
            RoomRule("Answer", names: ["Basics", "Counters", "Message", "Defence", "Rotation", "Zone", "Cache"]),
            RoomRule(
                "Forwarding",
                names: ["Basics", "Counters", "Message", "Defence", "Cache", "Network", "Upstream", "Answer"]),
            RoomRule(
                "Worker",
                names: [
                    "Basics", "Counters", "Message", "Defence", "Zone", "Cache", "Network", "Answer", "Forwarding",
                ]),
        ],
        "ControlPlane": [
            RoomRule("Basics", names: []),
            RoomRule("JSON", names: ["Basics"]),
            RoomRule("Metrics", names: []),
            RoomRule("Access", names: ["Basics"]),
            RoomRule("Configuration", names: ["Basics", "Access"]),
            RoomRule("Manual", names: ["Basics", "JSON", "Configuration"]),
            RoomRule("Logging", names: ["Basics", "Configuration"]),
            RoomRule("QueryLog", names: ["Basics", "JSON", "Configuration"]),
            RoomRule("TLS", names: ["Basics", "Configuration"]),
            RoomRule("HTTP", names: ["Basics", "JSON", "Metrics", "TLS"]),
            RoomRule("HTTPClient", names: []),
            RoomRule("Instances", names: ["Basics", "JSON", "Metrics", "Access"]),
            RoomRule("Backup", names: ["Basics", "JSON", "Instances"]),
            RoomRule("Client", names: ["Basics", "JSON", "HTTPClient"]),
            RoomRule("Terminal", names: ["Basics", "Client"]),
            RoomRule("Commands", names: ["Basics", "JSON", "Logging", "HTTPClient", "Client", "Terminal"]),
            RoomRule(
                "Commands/Import",
                names: ["Basics", "JSON", "HTTPClient", "Instances", "Client", "Terminal", "Commands"]),
            RoomRule(
                "Commands/Export",
                names: ["Basics", "JSON", "Instances", "Client", "Terminal", "Commands", "Commands/Import"]),
            RoomRule(
                "Commands/Backup",
                names: [
                    "JSON", "HTTPClient", "Backup", "Client", "Terminal", "Commands", "Commands/Import",
                    "Commands/Export",
                ]),
            RoomRule("Feed", names: ["Basics", "JSON", "Instances"]),
            RoomRule("Checks", names: ["Basics", "Metrics", "HTTPClient", "Instances"]),
            RoomRule("Publish", names: ["Basics", "Instances"]),
            RoomRule("Store", names: ["Basics", "Access", "Instances"]),
            RoomRule("Store/SQLite", names: ["Basics", "JSON", "Configuration", "Instances", "Store"]),
            RoomRule("Store/Etcd/Gateway", names: ["JSON", "Configuration", "HTTPClient", "Store"]),
            RoomRule("Store/Etcd/State", names: ["Basics", "Instances", "Store", "Store/Etcd/Gateway"]),
            RoomRule(
                "Store/Etcd",
                names: [
                    "Basics", "JSON", "Access", "Configuration", "Instances", "Store", "Store/Etcd/Gateway",
                    "Store/Etcd/State",
                ]),
            RoomRule(
                "Registry",
                names: [
                    "Basics", "JSON", "Metrics", "Access", "Configuration", "Instances", "Feed", "Publish", "Store",
                ]),
            RoomRule("API/Requests", names: ["Basics", "JSON", "Access", "HTTP", "Instances", "Registry"]),
            RoomRule(
                "API/Responses",
                names: [
                    "Basics", "JSON", "Metrics", "Access", "TLS", "HTTP", "Instances", "Backup", "Feed", "Store",
                    "Registry", "API/Requests",
                ]),
            RoomRule(
                "API",
                names: [
                    "Basics", "JSON", "Metrics", "Access", "TLS", "HTTP", "Instances", "Backup", "Feed", "Store",
                    "Registry", "API/Requests", "API/Responses",
                ]),
            RoomRule(
                "API/Endpoints", names: ["Basics", "Instances", "Backup", "Registry", "API/Requests", "API"]),
            RoomRule(
                "Lifecycle",
                names: [
                    "Basics", "Access", "Checks", "Configuration", "Logging", "QueryLog", "TLS", "HTTP",
                    "Instances", "Publish", "Store", "Registry",
                ]),
        ],
    ]

    /// Words that a module must not use, and why.
    static let forbiddenWords: [String: [String: String]] = [
        "Engine": Dictionary(
            uniqueKeysWithValues: ["async", "await", "actor", "Task", "AsyncStream", "MainActor"].map {
                ($0, "a worker is one thread with one event loop: Swift concurrency has no place in it")
            })
    ]

    /// Files in which memory may be handled unsafely, and what for. All others are safe Swift.
    static let unsafeFiles: [String: String] = [
        "Sources/Engine/Counters/QueryRing.swift": "owns the ring: one thread writes, another one takes",
        "Sources/Engine/Defence/AccessList.swift": "owns the networks; a view of them counts no reference",
        "Sources/Engine/Defence/ResponseRateLimit.swift": "owns the table of buckets; a view of it counts no reference",
        "Sources/Engine/InProcess.swift": "owns the reply's buffer",
        "Sources/Engine/Rotation/RotationCells.swift": "owns the cells: chunks that never move",
        "Sources/Engine/Message/LdnsPacket.swift": "owns ldns's packet",
        "Sources/Engine/Message/LdnsWriter.swift": "owns ldns's buffer and tree",
        "Sources/Engine/Message/PresentationForm.swift": "texts that ldns allocates",
        "Sources/Engine/Message/Octets.swift": "reads and writes octets through spans, each bounds-checked",
        "Sources/Engine/Message/NameComparison.swift": "reads eight octets at once, bounds-checked",
        "Sources/Engine/Network/DatagramBuffers.swift": "owns buffers that the kernel reads and fills",
        "Sources/Engine/Network/DatagramOrigin.swift": "copies what the kernel has written",
        "Sources/Engine/Network/DatagramSender.swift": "owns headers of datagrams that the kernel reads",
        "Sources/Engine/Network/Descriptor.swift": "reads an eventfd",
        "Sources/Engine/Network/EventLibraryLog.swift": "libevent's texts",
        "Sources/Engine/Network/EventLoop.swift": "owns libevent's base and events",
        "Sources/Engine/Basics/IPAddress.swift": "inet_pton and inet_ntop",
        "Sources/Engine/Network/ListeningSocket.swift": "the socket API's address forms",
        "Sources/Engine/Network/SocketAddressForm.swift": "the socket API's address forms",
        "Sources/Engine/Network/TCPConnection.swift": "owns libevent's buffered stream",
        "Sources/Engine/Network/TCPListener.swift": "the socket API's address forms",
        "Sources/Engine/Network/TCPService.swift": "owns the reply's buffer",
        "Sources/Engine/Network/UDPBatch.swift": "owns the batch's buffers, filled by the kernel",
        "Sources/Engine/Cache/CacheEntry.swift": "owns an entry's memory; views of it count no reference",
        "Sources/Engine/Cache/CacheTable.swift": "owns the cache's hash table",
        "Sources/Engine/Cache/ReadEpochs.swift": "owns the readers' epochs",
        "Sources/Engine/Basics/SystemRandom.swift": "getrandom writes to memory",
        "Sources/Engine/Upstream/UpstreamConnection.swift": "owns libevent's buffered stream",
        "Sources/Engine/Worker/BatchAnswering.swift": "owns places for queries that were read",
        "Sources/Engine/Worker/UDPListener.swift": "no reference counted for a batch",
        "Sources/Engine/Worker/Worker.swift": "made by one thread, run by another; owns a reply's buffer",
        "Sources/Engine/Worker/WorkerThread.swift": "pthread_create takes a pointer",
        "Sources/Engine/Zone/RecordPacker.swift": "owns ldns's record and buffer",
        "Sources/Engine/Zone/RecordListMemory.swift": "owns the records of large RRsets; views count no reference",
        "Sources/Engine/Zone/ZoneMemory.swift": "owns a snapshot's memory; views of it count no reference",
        "Sources/Engine/Zone/ZoneSnapshot.swift": "sendable, for nothing in it is written once it is made",
        "Sources/ControlPlane/Basics/FileReason.swift": "copies strerror's text",
        "Sources/ControlPlane/Basics/RegularFile.swift": "open reads a C string",
        "Sources/ControlPlane/Basics/WholeWrite.swift": "the kernel reads what is written",
        "Sources/ControlPlane/Basics/PieceRead.swift": "the kernel fills an array",
        "Sources/ControlPlane/Basics/SpoolFile.swift": "open and unlink read C strings",
        "Sources/ControlPlane/HTTP/EventLoopExecutor.swift": "an executor's unowned job",
        "Sources/ControlPlane/Checks/ProbeEasy.swift": "owns libcurl's easy handle and what it points at",
        "Sources/ControlPlane/Checks/ProbeMulti.swift": "owns libcurl's multi handle; eventfd_read writes to memory",
        "Sources/ControlPlane/HTTPClient/CurlEasy.swift": "owns libcurl's easy handle and what it points at",
        "Sources/ControlPlane/HTTPClient/CurlMulti.swift": "owns libcurl's multi handle, woken by other threads",
        "Sources/ControlPlane/HTTPClient/HTTPClientThread.swift": "pthread_create takes a pointer",
        "Sources/ControlPlane/Commands/Import/InputFile.swift": "open reads a C string",
        "Sources/ControlPlane/Commands/Export/OutputFile.swift":
            "open and rename read C strings",
        "Sources/ControlPlane/Terminal/Terminal.swift": "the kernel fills a structure; getenv returns a C string",
        "Sources/ControlPlane/Lifecycle/Account.swift": "the system's accounts are C structures",
        "Sources/ControlPlane/Lifecycle/DescriptorLimit.swift": "getrlimit writes to memory",
        "Sources/ControlPlane/Lifecycle/MachineName.swift": "gethostname writes to memory",
        "Sources/ControlPlane/Lifecycle/ServiceManager.swift": "hands descriptors over to C",
        "Sources/ControlPlane/QueryLog/QueryLogFile.swift": "open reads a C string, and the kernel what is written",
        "Sources/ControlPlane/Lifecycle/ProcessSecrecy.swift": "setrlimit reads a structure",
        "Sources/ControlPlane/Store/SQLite/FileLock.swift": "open reads a C string",
        "Sources/ControlPlane/Store/SQLite/FileIdentity.swift": "stat fills a structure",
        "Sources/ControlPlane/Registry/RegistryCommitter.swift": "an executor's unowned reference",
    ]

    /// Words that make a file an unsafe one.
    static func isUnsafe(_ word: Substring) -> Bool {
        word == "unsafe" || word == "Unmanaged" || word == "unchecked" || word.hasPrefix("Unsafe")
    }

    /// Code that no file in `Sources` may hold, and what to do instead.
    static let forbiddenCode: [String: String] = [
        "try!": "throw, or handle the error",
        "as!": "use `as?`",
        "fatalError(": "throw, or make the state impossible",
        "Task.sleep": "wait for the thing itself",
    ]

    /// Text that no file may hold, comments included.
    static let forbiddenText: [String: String] = [
        "TODO": "do it, or write an issue",
        "FIXME": "fix it, or write an issue",
        "\t": "indent with four spaces",
    ]

    /// Lines that a file may have: beyond, it has more than one subject.
    static let maximumLines = 500

    /// Files that a room may have: a reader sees at a glance what it is for, and one file needs no room.
    static let filesOfARoom = 2...30

    /// Columns that a line may have.
    static let maximumColumns = 120
}

/// What a room may name.
struct RoomRule {
    /// The folder in its module's.
    let room: String
    /// The rooms whose types it may name.
    let names: Set<String>

    init(_ room: String, names: Set<String>) {
        self.room = room
        self.names = names
    }
}
