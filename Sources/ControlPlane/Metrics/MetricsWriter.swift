/// Writes metrics in Prometheus' text format, version 0.0.4.
struct MetricsWriter {
    /// The media type of what it writes.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    /// What all names of ours begin with.
    static let prefix = "kong_discovery_"

    /// The type of a metric.
    enum Kind: String {
        case counter, gauge, histogram
    }

    /// A label of a sample.
    struct Label {
        var name: String
        var value: String

        init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    private(set) var octets: [UInt8] = []

    init(capacity: Int = 16_384) {
        octets.reserveCapacity(capacity)
    }

    /// Writes a metric without labels.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        begin(name, kind, help)
        sample(name, [], value)
    }

    /// The same, of a number with a fraction.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        begin(name, kind, help)
        sample(name, [], value)
    }

    /// Begins a metric: its samples follow.
    ///
    /// - Parameter help: one line.
    mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        text("# HELP \(name) ")
        for octet in help.utf8 {
            switch octet {
            case UInt8(ascii: "\\"): text("\\\\")
            case UInt8(ascii: "\n"): text("\\n")
            default: octets.append(octet)
            }
        }
        text("\n# TYPE \(name) \(kind.rawValue)\n")
    }

    /// Writes a sample of the metric that was begun last.
    mutating func sample(_ name: String, _ labels: [Label], _ value: some BinaryInteger) {
        head(name, labels)
        text("\(value)\n")
    }

    /// The same, of a number with a fraction.
    mutating func sample(_ name: String, _ labels: [Label], _ value: Double) {
        head(name, labels)
        text(Self.form(of: value))
        octets.append(UInt8(ascii: "\n"))
    }

    /// Writes a sample whose name and labels, with a space behind them, are given as they stand in the text.
    mutating func sample(_ start: [UInt8], _ end: [UInt8], _ value: Int) {
        octets.append(contentsOf: start)
        octets.append(contentsOf: end)
        octets.appendDecimal(Int64(value))
        octets.append(UInt8(ascii: "\n"))
    }

    /// Writes a histogram's samples.
    mutating func samples(_ name: String, _ labels: [Label] = [], of histogram: Histogram) {
        var count: UInt64 = 0
        for (bound, each) in zip(histogram.bounds, histogram.counts) {
            count &+= each
            sample("\(name)_bucket", labels + [Label("le", Self.form(of: bound))], count)
        }
        sample("\(name)_bucket", labels + [Label("le", "+Inf")], histogram.count)
        sample("\(name)_sum", labels, histogram.sum)
        sample("\(name)_count", labels, histogram.count)
    }

    private mutating func head(_ name: String, _ labels: [Label]) {
        text(name)
        for (index, label) in labels.enumerated() {
            octets.append(UInt8(ascii: index == 0 ? "{" : ","))
            text("\(label.name)=\"")
            for octet in label.value.utf8 {
                switch octet {
                case UInt8(ascii: "\\"): text("\\\\")
                case UInt8(ascii: "\""): text("\\\"")
                case UInt8(ascii: "\n"): text("\\n")
                default: octets.append(octet)
                }
            }
            octets.append(UInt8(ascii: "\""))
        }
        if !labels.isEmpty { octets.append(UInt8(ascii: "}")) }
        octets.append(UInt8(ascii: " "))
    }

    private mutating func text(_ text: String) { octets.append(contentsOf: text.utf8) }

    private static func form(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }
}
