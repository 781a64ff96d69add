/// A range of keys; the start is included, the end is not.
struct EtcdRange: Sendable, Equatable {
    var start: [UInt8]
    var end: [UInt8]

    /// All keys that begin with `prefix`, which ends with an octet below 255.
    init(prefix: String) {
        start = Array(prefix.utf8)
        end = start
        if let last = end.popLast() { end.append(last &+ 1) }
    }

    /// Whether a key is in it.
    func contains(_ key: [UInt8]) -> Bool {
        !key.lexicographicallyPrecedes(start) && key.lexicographicallyPrecedes(end)
    }

    /// Skips the keys up to `key`, including it.
    mutating func skip(through key: [UInt8]) {
        start = key + [0]
    }
}
