/// The part of the configuration that comes from the environment: texts of known keys, and variables that set none.
struct ConfigurationEnvironment {
    private(set) var values: [WrittenValue] = []
    private(set) var problems: [ConfigurationProblem] = []

    /// Variables for the client commands; the server ignores them.
    private static let clientVariables: Set = ["KONG_DISCOVERY_URL", "KONG_DISCOVERY_TOKEN"]

    private static let keysByName = Dictionary(
        uniqueKeysWithValues: ConfigurationSchema.keys.map { ($0.environmentName, $0) }
    )

    /// Reads the variables that begin with ``ConfigurationSchema/environmentPrefix``.
    init(_ environment: [String: String]) {
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(ConfigurationSchema.environmentPrefix) {
            if let key = Self.keysByName[name] {
                let texts = key.isList ? Self.elements(of: text) : [text]
                let origin = ConfigurationOrigin.environment(name)
                values.append(WrittenValue(key: key, origin: origin, elements: texts.map { ($0, origin) }))
            } else if !Self.clientVariables.contains(name), !Self.isFromKubernetes(name, text) {
                let near = nearest(to: name, among: Self.keysByName.keys)
                let message = "sets no known key" + (near.map { ": did you mean \($0)?" } ?? "")
                problems.append(ConfigurationProblem(origin: .environment(name), key: nil, message: message))
            }
        }
    }

    /// The elements of a list between commas; an empty text is an empty list.
    private static func elements(of text: String) -> [String] {
        if text.allSatisfy(\.isWhitespace) { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { element in
            let trimmed = element.drop(while: \.isWhitespace)
            return String(trimmed.prefix(trimmed.count - trimmed.reversed().prefix(while: \.isWhitespace).count))
        }
    }

    /// Whether Kubernetes sets the variable for a Service whose name begins with `kong-discovery`: `…_SERVICE_HOST`,
    /// `…_SERVICE_PORT`, `…_SERVICE_PORT_<NAME>`, `…_PORT` with a URL, and `…_PORT_<NUMBER>_<PROTOCOL>` with what
    /// follows. No key of ours has such a name.
    private static func isFromKubernetes(_ name: String, _ text: String) -> Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.hasSuffix("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
            return true
        }
        if name.contains(/_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$/) { return true }
        return name.hasSuffix("_PORT") && text.contains("://")
    }
}
