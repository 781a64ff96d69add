import Engine

extension JSONWriter {
    /// What the names of all labels begin with.
    private static let prefix = "__meta_kong_discovery_"

    /// An instance as a target group of Prometheus' `http_sd`: its address, and all that relabeling may go by.
    mutating func targetGroup(_ registered: RegisteredInstance) {
        let instance = registered.instance
        beginObject()
        member("targets")
        beginArray()
        string(SocketAddress(instance.address, port: instance.port).description)
        endArray()
        member("labels")
        beginObject()
        for (name, value) in [
            ("service", instance.name), ("id", instance.id), ("address", instance.address.description),
            ("port", String(instance.port)), ("protocol", instance.transport.rawValue),
            // With a comma at both ends, as consul_sd has them: so ".*,a,.*" finds a tag wherever it is.
            ("tags", ",\(instance.tags.joined(separator: ",")),"), ("status", registered.status.rawValue),
            ("weight", String(instance.weight)), ("priority", String(instance.priority)),
        ] {
            member(Self.prefix + name)
            string(value)
        }
        for (name, value) in MetadataLabel.labels(of: instance.metadata) {
            member("\(Self.prefix)metadata_\(name)")
            string(value)
        }
        endObject()
        endObject()
    }
}

/// The form of metadata as labels.
enum MetadataLabel {
    /// The labels of an instance's metadata, each name once.
    ///
    /// A character that no label may have becomes `_`. If several keys become the same name, the key that is this name
    /// counts, else the first one by its octets.
    static func labels(of metadata: [MetadataEntry]) -> [(name: String, value: String)] {
        var labels: [(name: String, value: String)] = []
        var places: [String: Int] = [:]
        for entry in metadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            let name = name(of: entry.key)
            if let place = places[name] {
                if entry.key == name { labels[place].value = entry.value }
            } else {
                places[name] = labels.count
                labels.append((name, entry.value))
            }
        }
        return labels
    }

    /// A key with `_` for each character but ASCII letters, digits and `_`, as Prometheus makes labels of texts.
    static func name(of key: String) -> String {
        String(
            String.UnicodeScalarView(
                key.unicodeScalars.map { scalar in
                    switch scalar {
                    case "a"..."z", "A"..."Z", "0"..."9", "_": scalar
                    default: "_"
                    }
                }))
    }
}
