/// One key of the configuration: all that is known about it, without its type.
public struct ConfigurationKey: Sendable {
    /// The path with dots: `dns.cache.max_entries`.
    public let path: String
    /// What the key means, in one line.
    public let summary: String
    /// What its value may be, as a phrase; for a list, what each element may be.
    public let allowed: String
    /// What its value, or one element of a list, may be, as a phrase.
    let allowedValue: String
    /// Whether the value is a list.
    public let isList: Bool
    /// Whether the value must not be shown.
    public let isSecret: Bool
    /// Whether a change takes effect when the configuration is read again, without a restart.
    public let appliesOnReload: Bool

    /// Whether quoted text is a value of this kind.
    let acceptsQuotes: Bool
    /// Reads texts (one unless the key is a list) into a configuration; if there are problems it stays as it was.
    let assign: @Sendable (_ texts: [String], _ configuration: inout Configuration) -> [ValueProblem]
    /// The texts of the configuration's value; one unless the key is a list.
    let texts: @Sendable (Configuration) -> [String]

    /// The environment variable that sets the key.
    public var environmentName: String {
        ConfigurationSchema.environmentPrefix + path.uppercased().replacing(".", with: "_")
    }
}

/// A problem with a value, or with one element of a list.
struct ValueProblem {
    /// The element's place, or `nil` for the whole value.
    var index: Int?
    /// What follows the value's text in a message.
    var reason: String
}

extension ConfigurationKey {
    /// A key with one value.
    init<Value>(
        _ path: String,
        _ member: any WritableKeyPath<Configuration, Value> & Sendable,
        _ kind: ValueKind<Value>,
        _ summary: String,
        isSecret: Bool = false,
        appliesOnReload: Bool = false
    ) {
        self.path = path
        self.summary = summary
        self.isSecret = isSecret
        self.appliesOnReload = appliesOnReload
        allowed = kind.allowed
        allowedValue = kind.allowed
        isList = false
        acceptsQuotes = kind.acceptsQuotes
        texts = { [kind.format($0[keyPath: member])] }
        assign = { texts, configuration in
            do throws(InvalidValue) {
                configuration[keyPath: member] = try kind.parse(texts.first ?? "")
                return []
            } catch {
                return [ValueProblem(reason: error.reason)]
            }
        }
    }

    /// A key with a list of values.
    init<Element>(
        _ path: String,
        list member: any WritableKeyPath<Configuration, [Element]> & Sendable,
        _ kind: ValueKind<Element>,
        _ summary: String,
        mayBeEmpty: Bool = true,
        appliesOnReload: Bool = false
    ) {
        self.path = path
        self.summary = summary
        self.appliesOnReload = appliesOnReload
        isSecret = false
        allowedValue = kind.allowed
        allowed = "each \(kind.allowed)" + (mayBeEmpty ? "" : "; at least one")
        isList = true
        acceptsQuotes = kind.acceptsQuotes
        texts = { $0[keyPath: member].map(kind.format) }
        assign = { texts, configuration in
            var values: [Element] = []
            var problems: [ValueProblem] = []
            for (index, text) in texts.enumerated() {
                do throws(InvalidValue) {
                    values.append(try kind.parse(text))
                } catch {
                    problems.append(ValueProblem(index: index, reason: error.reason))
                }
            }
            guard problems.isEmpty else { return problems }
            if values.isEmpty && !mayBeEmpty {
                return [ValueProblem(reason: "is an empty list: at least one is needed")]
            }
            configuration[keyPath: member] = values
            return []
        }
    }
}
