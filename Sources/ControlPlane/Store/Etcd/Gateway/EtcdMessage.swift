import FoundationEssentials

/// Requests of etcd's JSON gateway: protocol buffers as JSON, with octets in base64 and large numbers as strings.
///
/// https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
enum EtcdMessage {
    /// `lease/grant`
    static func grant(ttlSeconds: Int) -> [UInt8] {
        object { writer in
            writer.member("TTL")
            writer.string("\(ttlSeconds)")
        }
    }

    /// `lease/keepalive` for many leases: the gateway reads one request after the other from the body.
    static func keepAlive(_ leases: some Collection<Int64>) -> [UInt8] {
        leases.flatMap { Array("{\"ID\":\"\($0)\"}".utf8) }
    }

    /// `lease/timetolive`: whether keys are attached to a lease.
    static func look(atLease lease: Int64) -> [UInt8] {
        object { writer in
            writer.member("ID")
            writer.string("\(lease)")
            writer.member("keys")
            writer.bool(true)
        }
    }

    /// `lease/revoke`
    static func revoke(_ lease: Int64) -> [UInt8] {
        object { writer in
            writer.member("ID")
            writer.string("\(lease)")
        }
    }

    /// `auth/authenticate`
    static func authenticate(username: String, password: String) -> [UInt8] {
        object { writer in
            writer.member("name")
            writer.string(username)
            writer.member("password")
            writer.string(password)
        }
    }

    /// `kv/range` for one key.
    static func get(_ key: String) -> [UInt8] {
        object { $0.octets("key", key.utf8) }
    }

    /// `kv/put` of a key without a value.
    static func put(_ key: String) -> [UInt8] {
        object { $0.octets("key", key.utf8) }
    }

    /// `kv/range` for one page of many keys.
    ///
    /// - Parameter revision: the revision to read; 0: the present one.
    static func range(_ range: EtcdRange, limit: Int, revision: Int64) -> [UInt8] {
        object { writer in
            writer.octets("key", range.start)
            writer.octets("range_end", range.end)
            writer.member("limit")
            writer.string("\(limit)")
            writer.member("revision")
            writer.string("\(revision)")
        }
    }

    /// `kv/range` for the first keys of a range, without their values.
    static func keys(_ range: EtcdRange, limit: Int) -> [UInt8] {
        object { writer in
            writer.octets("key", range.start)
            writer.octets("range_end", range.end)
            writer.member("limit")
            writer.string("\(limit)")
            writer.member("keys_only")
            writer.bool(true)
        }
    }

    /// `watch` for all changes from a revision on.
    static func watch(_ range: EtcdRange, from revision: Int64) -> [UInt8] {
        object { writer in
            writer.member("create_request")
            writer.beginObject()
            writer.octets("key", range.start)
            writer.octets("range_end", range.end)
            writer.member("start_revision")
            writer.string("\(revision)")
            writer.member("progress_notify")
            writer.bool(true)
            writer.endObject()
        }
    }

    /// `kv/txn`
    static func transaction(_ transaction: EtcdTransaction) -> [UInt8] {
        object { writer in
            writer.member("compare")
            writer.beginArray()
            for condition in transaction.conditions { writer.condition(condition) }
            writer.endArray()
            for (name, operations) in [("success", transaction.success), ("failure", transaction.failure)] {
                writer.member(name)
                writer.beginArray()
                for operation in operations { writer.operation(operation) }
                writer.endArray()
            }
        }
    }

    private static func object(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        write(&writer)
        writer.endObject()
        return writer.octets
    }
}

/// Operations that etcd carries out together if every condition holds; otherwise it returns what is there instead.
struct EtcdTransaction: Sendable, Equatable {
    /// A condition on the revision of a key's last change.
    struct Condition: Sendable, Equatable {
        var key: String
        /// 0: the key does not exist.
        var revision: Int64
        /// Whether an earlier revision is allowed too.
        var isLimit = false
    }

    enum Operation: Sendable, Equatable {
        /// `lease` 0: none.
        case put(key: String, value: [UInt8], lease: Int64)
        case delete(key: String)
        case get(key: String)
    }

    var conditions: [Condition] = []
    var success: [Operation] = []
    var failure: [Operation] = []
}

extension JSONWriter {
    /// A member whose value is octets.
    fileprivate mutating func octets(_ name: String, _ octets: some Sequence<UInt8>) {
        member(name)
        string(Data(octets).base64EncodedString())
    }

    fileprivate mutating func condition(_ condition: EtcdTransaction.Condition) {
        let isAbsent = condition.revision == 0 && !condition.isLimit
        beginObject()
        octets("key", condition.key.utf8)
        member("result")
        string(condition.isLimit ? "LESS" : "EQUAL")
        member("target")
        string(isAbsent ? "CREATE" : "MOD")
        member(isAbsent ? "create_revision" : "mod_revision")
        string("\(condition.isLimit ? condition.revision + 1 : condition.revision)")
        endObject()
    }

    fileprivate mutating func operation(_ operation: EtcdTransaction.Operation) {
        beginObject()
        switch operation {
        case .put(let key, let value, let lease):
            member("request_put")
            beginObject()
            octets("key", key.utf8)
            octets("value", value)
            member("lease")
            string("\(lease)")
        case .delete(let key):
            member("request_delete_range")
            beginObject()
            octets("key", key.utf8)
        case .get(let key):
            member("request_range")
            beginObject()
            octets("key", key.utf8)
        }
        endObject()
        endObject()
    }
}
