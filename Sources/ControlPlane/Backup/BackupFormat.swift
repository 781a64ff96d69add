import Crypto

/// The form of a backup: JSON objects, each on a line that ends with a line feed.
///
/// 1. The header: what it is, and how many lines of each kind follow.
/// 2. `{"policy":{…}}`, one for each policy.
/// 3. `{"instance":{…}}`, one for each instance, in the order of registration.
/// 4. `{"end":{…}}`: the numbers again, and the SHA-256 of all octets before this line.
///
/// Policies and instances have the form that they have in storage. Neither heartbeats nor deadlines are kept: whoever
/// is restored has a whole ttl, as after a restart.
enum BackupFormat {
    /// The value of `format` in the header.
    static let name = "kong-discovery-backup"
    /// The version that this program writes. It reads this one and all before.
    static let version = 1
    /// The media type.
    static let contentType = "application/x-ndjson"
    /// The longest line, in octets without its line feed: an instance with what is around it.
    static let maximumLineOctets = StoredInstance.maximumOctets + 64

    /// How the lines of instances begin: the only ones that a reader need not parse to know what they are.
    static let instancePrefix = Array(#"{"instance":"#.utf8)

    /// The line that stands in place of the rest if a backup can't be completed.
    static func abortLine(_ reason: String) -> [UInt8] {
        line { writer in
            writer.member("aborted")
            writer.string(reason)
        }
    }

    static func line(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(capacity: 384)
        writer.beginObject()
        write(&writer)
        writer.endObject()
        return writer.octets + [UInt8(ascii: "\n")]
    }
}

/// How many lines of each kind there are.
struct BackupCounts: Sendable, Equatable {
    var policies = 0
    var instances = 0

    func write(_ writer: inout JSONWriter) {
        writer.member("policies")
        writer.integer(policies)
        writer.member("instances")
        writer.integer(instances)
    }

    /// The numbers in words.
    var words: String {
        "\(instances) instance\(instances == 1 ? "" : "s") and \(policies) polic\(policies == 1 ? "y" : "ies")"
    }
}

/// The first line.
struct BackupHeader: Sendable, Equatable {
    var formatVersion = BackupFormat.version
    /// The version of the program that has written it.
    var productVersion: String
    /// When it was written; a reader does not look at it.
    var createdAt: WallTime?
    /// The index of the last change that it has.
    var index: UInt64
    var counts: BackupCounts

    fileprivate var line: [UInt8] {
        BackupFormat.line { writer in
            writer.member("format")
            writer.string(BackupFormat.name)
            writer.member("format_version")
            writer.integer(formatVersion)
            writer.member("product_version")
            writer.string(productVersion)
            writer.member("created_at")
            writer.time(createdAt)
            writer.member("index")
            writer.integer(index)
            counts.write(&writer)
        }
    }
}

/// Makes the lines of a backup, one part after the other.
struct BackupWriter: Sendable {
    private var digest = SHA256()
    private(set) var counts = BackupCounts()

    /// The header.
    mutating func header(_ header: BackupHeader) -> [UInt8] { added(header.line) }

    /// The lines of policies.
    mutating func policies(_ policies: some Sequence<NamedPolicy>) -> [UInt8] {
        var lines: [UInt8] = []
        for named in policies {
            counts.policies += 1
            lines += BackupFormat.line { writer in
                writer.member("policy")
                writer.json(StoredPolicy.encode(named))
            }
        }
        return added(lines)
    }

    /// The lines of instances.
    mutating func instances(_ instances: some Sequence<ServiceInstance>) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 * 1024)
        for instance in instances {
            counts.instances += 1
            writer.beginLine()
            writer.member("instance")
            StoredInstance.write(instance, &writer)
            writer.endLine()
        }
        return added(writer.octets)
    }

    /// The last line.
    func end() -> [UInt8] {
        BackupFormat.line { writer in
            writer.member("end")
            writer.beginObject()
            counts.write(&writer)
            writer.member("sha256")
            writer.string(BackupDigest.hexadecimal(digest))
            writer.endObject()
        }
    }

    private mutating func added(_ lines: [UInt8]) -> [UInt8] {
        digest.update(data: lines)
        return lines
    }
}

/// A SHA-256 as a text.
enum BackupDigest {
    /// 64 hexadecimal digits in lower case.
    static func hexadecimal(_ digest: SHA256) -> String {
        digest.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
