import Glibc

/// The machine's host name, or an empty text if it can't be read.
enum MachineName {
    static var current: String {
        var name = [CChar](repeating: 0, count: 256)
        // Unsafe: gethostname writes at most as many octets as it is told; the last one stays 0.
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
