/// Why the engine could not do what was requested.
public enum EngineError: Error, Sendable {
    /// An address can't be listened on.
    case cannotListen(SocketAddress, transport: String, reason: String)
    /// A configuration value is out of range.
    case invalidConfiguration(String)
    /// A name is not a domain name, or too long for the zone.
    case invalidName(String)
    /// A name's RRset is empty, of mixed types, or of a type that the zone does not hold.
    case invalidRecords(name: String)
    /// The system is out of memory, threads or file descriptors.
    case resourceExhausted(String)
}

extension EngineError: CustomStringConvertible {
    /// The error in one line, for people.
    public var description: String {
        switch self {
        case .cannotListen(let address, let transport, let reason):
            "cannot listen on \(address) (\(transport)): \(reason)"
        case .invalidConfiguration(let what): what
        case .invalidName(let name): "'\(name)' is not a name that fits the zone"
        case .invalidRecords(let name): "the records of '\(name)' are not a valid RRset"
        case .resourceExhausted(let what): "out of resources: \(what)"
        }
    }
}
