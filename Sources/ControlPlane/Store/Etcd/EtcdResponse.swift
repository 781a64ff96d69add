import FoundationEssentials

/// A response of etcd's JSON gateway. What is a default value is left out there; what is missing reads as that.
struct EtcdResponse: Sendable, Equatable {
    private let json: JSONValue

    /// The response in a JSON value.
    init(_ json: JSONValue) {
        self.json = json
    }

    /// The revision of the whole store at the time of the response.
    var revision: Int64 { json["header"]["revision"].int64 }
    /// `lease/grant`, `lease/keepalive`
    var lease: Int64 { json["ID"].int64 }
    /// `lease/grant`, `lease/keepalive`: seconds; 0: there is no such lease.
    var ttlSeconds: Int64 { json["TTL"].int64 }
    /// `auth/authenticate`
    var token: String? { json["token"].text }
    /// `kv/txn`: whether all conditions held.
    var hasSucceeded: Bool { json["succeeded"] == .bool(true) }
    /// `kv/txn`: the responses to its operations.
    var responses: [EtcdResponse] { json["responses"].elements.map { EtcdResponse($0["response_range"]) } }
    /// `kv/range`
    var values: [EtcdKeyValue] { json["kvs"].elements.map(EtcdKeyValue.init) }
    /// `kv/range`: whether there are more than were asked for.
    var hasMore: Bool { json["more"] == .bool(true) }

    /// What a stream's message holds.
    var result: EtcdResponse { EtcdResponse(json["result"]) }
    /// What a stream's message says is wrong.
    var streamError: String? { json["error"]["message"].text }
    /// `watch`: whether this is the answer to the request.
    var isCreated: Bool { json["created"] == .bool(true) }
    /// `watch`: whether nothing more comes.
    var isCanceled: Bool { json["canceled"] == .bool(true) }
    /// `watch`: why nothing more comes.
    var cancelReason: String? { json["cancel_reason"].text }
    /// `watch`: the first revision that is still there, when the one asked for is not.
    var compactRevision: Int64 { json["compact_revision"].int64 }
    /// `watch`
    var events: [EtcdEvent] {
        json["events"].elements.map { event in
            EtcdEvent(isDeletion: event["type"].text == "DELETE", value: EtcdKeyValue(event["kv"]))
        }
    }
}

/// A key and its value.
struct EtcdKeyValue: Sendable, Equatable {
    var key: [UInt8]
    var value: [UInt8]
    /// When it was changed last.
    var revision: Int64
    /// 0: none.
    var lease: Int64

    fileprivate init(_ json: JSONValue) {
        key = json["key"].octets
        value = json["value"].octets
        revision = json["mod_revision"].int64
        lease = json["lease"].int64
    }
}

/// A change that a watch tells of.
struct EtcdEvent: Sendable, Equatable {
    var isDeletion: Bool
    var value: EtcdKeyValue
}

extension JSONValue {
    /// The member of an object; `null` when there is none.
    fileprivate subscript(name: String) -> JSONValue {
        guard case .object(let members) = self else { return .null }
        return members.first { $0.name == name }?.value ?? .null
    }

    fileprivate var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    fileprivate var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// A 64-bit number, which the gateway writes as a string; 0 for anything else.
    fileprivate var int64: Int64 {
        switch self {
        case .string(let text): Int64(text) ?? 0
        case .integer(let number): Int64(number)
        default: 0
        }
    }

    fileprivate var octets: [UInt8] {
        text.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? []
    }
}
