/// `kong-discovery services import`: registers what a file, or CoreDNS' tree in etcd, has.
public struct ImportCommand: Sendable {
    /// What is imported, and how.
    public struct Options: Sendable {
        /// The path of a file; `-` is standard input. `nil`: there is none.
        public var file: String?
        /// `nil`: the file must tell.
        public var format: ImportFormat?
        /// The URL of the etcd that has CoreDNS' tree; `nil`: there is none.
        public var etcd: String?
        /// Where that tree begins.
        public var prefix = "/skydns"
        /// The domain whose names become services.
        public var zone: String?
        /// For instances without one, in seconds; `nil`: see ``ImportDefaults``.
        public var ttl: Int?
        /// For instances without one.
        public var ip: String?
        public var port: Int?
        /// Only says what would be done.
        public var isDryRun = false
        /// Prints the counts as JSON.
        public var isJSON = false

        /// Nothing is imported.
        public init() {}
    }

    private let access: ServerAccess
    private let options: Options

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess, _ options: Options) {
        self.access = access
        self.options = options
    }

    /// Imports. What is refused is named on standard error with its place; the counts go to standard output.
    ///
    /// - Throws: also if anything was refused; all else is registered then.
    public func run() async throws {
        let defaults = ImportDefaults(ttl: options.ttl, ip: options.ip, port: options.port)
        let skyDNS = options.zone.map { SkyDNSInstances(prefix: options.prefix, zone: $0, defaults: defaults) }
        if skyDNS == nil, options.etcd != nil || options.format == .skydns {
            throw CommandFailure.usage("CoreDNS' tree needs --zone: the domain whose names become services")
        }
        let api = try APIClient(access)
        let source = options.etcd ?? (options.file == "-" ? "standard input" : options.file ?? "")
        let report = ImportReport(source: source, isDryRun: options.isDryRun)
        let sink: any ImportSink =
            options.isDryRun ? try await ImportPreview(api, report) : ImportBatches(api, report)
        do {
            if let etcd = options.etcd, let skyDNS {
                let tree = SkyDNSTree(url: etcd, tls: access.tls, timeout: access.timeout, instances: skyDNS)
                try await tree.read { try await sink.add($0) }
            } else {
                let file = try InputFile(path: options.file ?? "-")
                var reader = ImportReader(format: options.format, defaults: defaults, skyDNS: skyDNS)
                while true {
                    let piece = try file.read()
                    let items: [ImportItem]
                    do throws(CommandFailure) {
                        items = try piece.isEmpty ? reader.finish() : reader.take(piece)
                    } catch {
                        // What comes before is whole.
                        try await sink.finish()
                        throw CommandFailure("\(source): \(error)")
                    }
                    try await sink.add(items)
                    if piece.isEmpty { break }
                }
            }
            try await sink.finish()
        } catch {
            report.clear()
            if report.hasChanged {
                CommandRun.note("\(report.summary) before this; it can be imported again: nothing is registered twice")
            }
            throw error
        }
        try report.print(isJSON: options.isJSON)
        if report.hasRefused { throw CommandRefusal() }
    }
}
