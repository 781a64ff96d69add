/// The state of a server for people.
struct StatusText {
    private(set) var lines: [String] = []
    private let style: Style

    /// - Parameters:
    ///   - before: the status some time ago, for rates.
    ///   - status: the present one.
    ///   - seconds: from one to the other.
    init(_ before: JSONReading, _ status: JSONReading, seconds: Double, url: String, style: Style) {
        self.style = style
        let health = status["health"]
        add("server", "kong-discovery \(status["version"].shown) at \(url), up \(Self.time(status["uptime_seconds"]))")
        add("health", style.paint(word: health["status"].shown))
        for part in health["checks"].members {
            let part = (name: part.name.escapingControls, value: JSONReading(part.value))
            if part.value["status"].text == "pass" { continue }
            add("", "\(style.paint(word: part.value["status"].shown)) \(part.name): \(part.value["message"].shown)")
        }
        let storage = status["storage"]
        let lag = storage["lag_seconds"].decimal ?? 0
        add(
            "storage",
            "\(storage["type"].shown), \(style.paint(word: storage["health"].shown))"
                + (lag > 0 ? ", what is known may be \(Self.rounded(lag)) s old" : "")
                + (storage["problem"].text.map { ": \($0.escapingControls)" } ?? ""))
        let instances = status["instances"]
        let counts = ["passing", "warning", "critical", "draining"].map { name in
            let count = instances[name].number ?? 0
            return style.paint("\(count) \(name)", count == 0 ? .faint : Style.Tone(ofWord: name))
        }
        add("services", status["services"].shown)
        add("instances", "\(instances["total"].shown): \(counts.joined(separator: ", "))")
        let checks = status["checks"]
        if checks["checks"].number ?? 0 > 0 {
            add(
                "checks",
                "\(checks["checks"].shown) here, \(checks["running"].shown) under way"
                    + (checks["cut_off"].isTrue ? ", " + style.paint("cut off", .warning) : ""))
        }
        addDNS(before, status, seconds)
        for upstream in status["upstreams"].elements {
            let time = upstream["round_trip_seconds"].decimal.map { ", \(Self.rounded($0 * 1000)) ms" } ?? ""
            add(
                "upstream",
                "\(upstream["address"].shown) \(style.paint(word: upstream["health"].shown))\(time), "
                    + "\(upstream["timeouts"].shown) timeouts, \(upstream["errors"].shown) errors")
        }
        for brake in status["brakes"]["oldest"].elements {
            add(
                "brake",
                "\(brake["name"].shown): \(brake["reason"].shown), since \(brake["since"].shown), until "
                    + brake["until"].shown)
        }
    }

    private mutating func addDNS(_ before: JSONReading, _ status: JSONReading, _ seconds: Double) {
        func rate(_ group: String, _ names: [String]) -> Double {
            let sum = { (status: JSONReading) in names.reduce(0) { $0 + (status[group][$1].number ?? 0) } }
            return seconds > 0 ? Double(max(0, sum(status) - sum(before))) / seconds : 0
        }
        let dns = status["dns"]
        let queries = ["udp_queries", "tcp_queries"]
        let total = queries.reduce(0) { $0 + (dns[$1].number ?? 0) }
        add(
            "dns",
            "\(Self.rounded(rate("dns", queries))) queries/s now, \(total) since the start, "
                + "\(dns["connections_open"].number ?? 0) TCP connections")
        let codes = ["nxdomain", "servfail", "refused"].map {
            "\(Self.rounded(rate("dns", [$0]))) \($0.uppercased())/s"
        }
        add("", codes.joined(separator: ", "))
        let cache = status["cache"]
        let hits = cache["hits"].number ?? 0
        let asked = hits + (cache["misses"].number ?? 0)
        let share = asked == 0 ? "" : ", \(Self.rounded(100 * Double(hits) / Double(asked))) % of \(asked) found"
        add("cache", "\(cache["entries"].number ?? 0) answers\(share)")
    }

    private mutating func add(_ name: String, _ text: String) {
        lines.append(InstanceText.padded(name, to: 11) + text)
    }

    /// With one decimal below ten.
    private static func rounded(_ number: Double) -> String {
        guard number.isFinite, number < 1e15 else { return "-" }
        let tenths = Int((number * 10).rounded())
        return number >= 10 || tenths % 10 == 0 ? "\(Int(number.rounded()))" : "\(tenths / 10).\(tenths % 10)"
    }

    /// `3d 4h`, `2h 5m`, `7s`: the two largest units.
    private static func time(_ seconds: JSONReading) -> String {
        var rest = seconds.number ?? 0
        var parts: [String] = []
        for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= length || (unit == "s" && parts.isEmpty) { parts.append("\(rest / length)\(unit)") }
            rest %= length
        }
        return parts.prefix(2).joined(separator: " ")
    }
}
