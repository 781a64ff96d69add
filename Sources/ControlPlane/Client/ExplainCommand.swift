/// `kong-discovery explain`: asks a server why a name is answered as it is.
public struct ExplainCommand: Sendable {
    /// What went wrong, in one line.
    public struct Failure: Error, CustomStringConvertible {
        /// The line.
        public var description: String
    }

    private let server: String
    private let token: String?
    private let tls: ClientTLS

    /// - Parameters:
    ///   - server: the URL of its REST API.
    ///   - token: the bearer token to send; `nil`: none.
    ///   - tls: for https.
    public init(server: String, token: String? = nil, tls: ClientTLS = ClientTLS()) {
        self.server = server
        self.token = token
        self.tls = tls
    }

    /// The explanation of a name.
    ///
    /// - Parameters:
    ///   - type: a record type; `nil`: the usual ones.
    ///   - isJSON: as the server has sent it, else as text for people.
    public func run(name: String, type: String?, isJSON: Bool) async throws(Failure) -> String {
        var parameters = [(name: "name", value: name)]
        if let type { parameters.append(("type", type)) }
        do throws(APIClient.Failure) {
            let answer = try await APIClient(server: server, token: token, tls: tls).get("/api/v1/explain", parameters)
            return isJSON ? answer.text : ExplanationText(answer.value).text
        } catch {
            throw Failure(description: error.description)
        }
    }
}

/// An explanation as text for people.
struct ExplanationText {
    private var lines: [String] = []

    init(_ explanation: JSONReading) {
        var title = "\(Self.shown(explanation["name"])) (\(Self.shown(explanation["kind"])))"
        if let total = explanation["instances_total"].number, explanation["service"].text != nil {
            title += ", \(total) instance\(total == 1 ? "" : "s")"
        }
        lines.append(title)
        if let end = explanation["grace_ends_at"].text {
            lines.append("SERVFAIL until \(end.escapingControls), then dns.on_empty decides")
        }
        if let since = explanation["last_known"]["since"].text {
            let until = Self.shown(explanation["last_known"]["until"])
            lines.append("last known instances since \(since.escapingControls), until \(until) at most")
        }
        for note in explanation["notes"].elements { lines.append(Self.note(note)) }
        for answer in explanation["answers"].elements { add(answer) }
        let instances = explanation["instances"].elements
        if !instances.isEmpty { add(instances) }
        for upstream in explanation["upstreams"].elements {
            var line = "upstream \(Self.shown(upstream["address"])): \(Self.shown(upstream["health"]))"
            if let failure = upstream["last_failure"].text {
                line += ", last failure \(Self.shown(upstream["failed_at"])) (\(failure.escapingControls))"
            }
            lines.append(line)
        }
        let nearest = explanation["nearest"].elements.map { Self.shown($0) }
        if !nearest.isEmpty { lines.append("did you mean \(nearest.joined(separator: ", "))?") }
    }

    /// The lines.
    var text: String { lines.joined(separator: "\n") + "\n" }

    private mutating func add(_ answer: JSONReading) {
        lines.append("")
        let code = answer["code"].text?.escapingControls ?? "-"
        lines.append("\(Self.shown(answer["type"]))  \(code): \(Self.shown(answer["why"]))")
        for record in answer["records"].elements where record["section"].text == "answer" {
            lines.append(
                "    \(record["ttl"].number ?? 0) \(Self.shown(record["type"])) \(Self.shown(record["data"]))")
        }
        if answer["truncated_over_udp"].isTrue {
            lines.append("    too long for UDP without EDNS: the client has to ask again over TCP")
        }
        let workers = answer["workers"].elements
        if Set(workers.map { Self.shown($0["first"]) }).count > 1 {
            for worker in workers {
                lines.append("    worker \(worker["worker"].number ?? 0) begins with \(Self.shown(worker["first"]))")
            }
        }
        let cache = answer["cache"]
        if !cache.members.isEmpty {
            let state = cache["stale"].isTrue ? "expired" : "\(cache["ttl_seconds"].number ?? 0) s left"
            lines.append(
                "    cached: \(Self.shown(cache["code"])), \(cache["age_seconds"].number ?? 0) s old, \(state)")
        }
        if let time = answer["failed_at"].text {
            lines.append("    no upstream has answered at \(time.escapingControls)")
        }
    }

    private mutating func add(_ instances: [JSONReading]) {
        lines.append("")
        let types = instances[0]["answers"].members.map(\.name)
        var table = [["INSTANCE", "ADDRESS", "STATUS"] + types.map(\.escapingControls) + ["EXPIRES"]]
        for instance in instances {
            let ip = Self.shown(instance["ip"])
            let host = ip.contains(":") ? "[\(ip)]" : ip
            table.append(
                [Self.shown(instance["id"]), "\(host):\(instance["port"].number ?? 0)", Self.shown(instance["status"])]
                    + types.map { Self.shown(instance["answers"][$0]) } + [Self.shown(instance["expires_at"])])
        }
        let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
        lines.append(line(table[0]))
        for (row, instance) in zip(table.dropFirst(), instances) {
            lines.append(line(row))
            for check in instance["checks"].elements {
                lines.append(
                    "    check \(Self.shown(check["name"])): \(Self.shown(check["status"])) since "
                        + "\(Self.shown(check["since"])) \(Self.shown(check["output"]))")
            }
            for note in instance["notes"].elements { lines.append("    \(Self.note(note))") }
        }
    }

    private static func note(_ note: JSONReading) -> String {
        var line = "\(shown(note["source"])): \(shown(note["text"]))"
        if let since = note["since"].text { line += ", since \(since.escapingControls)" }
        if let until = note["until"].text { line += ", until \(until.escapingControls)" }
        return line
    }

    /// A text without anything that could move the cursor; `-` if there is none.
    private static func shown(_ value: JSONReading) -> String { value.text?.escapingControls ?? "-" }
}
