import FoundationEssentials

/// A response of etcd's JSON gateway. The gateway leaves out default values; a missing member reads as its default.
///
/// Numbers are checked when they are read: they stay far below what could overflow.
struct EtcdResponse: Sendable, Equatable {
    /// Above all possible revisions: at a million changes a second it would take 36,000 years to get there.
    static let maximumRevision: Int64 = 1 << 60

    private let json: JSONValue

    /// The revision of the whole store at the time of the response.
    let revision: Int64
    /// `lease/grant`, `lease/keepalive`
    let lease: Int64
    /// `lease/grant`, `lease/keepalive`, `lease/timetolive`: in seconds; 0 or less: there is no such lease.
    let ttlSeconds: Int64
    /// `watch`: the first revision that still exists, if the requested one does not.
    let compactRevision: Int64
    /// `kv/range`
    let values: [EtcdKeyValue]
    /// `kv/txn`: the responses to its operations.
    let responses: [EtcdResponse]
    /// `watch`
    let events: [EtcdEvent]

    /// Reads a response.
    ///
    /// - Throws: if a number in it is malformed or out of range.
    init(_ json: JSONValue) throws(EtcdError) {
        self.json = json
        revision = try json["header"].number("revision", in: 0...Self.maximumRevision)
        lease = try json.number("ID", in: 0 ... .max)
        ttlSeconds = try json.number("TTL", in: -1...Self.maximumRevision)
        compactRevision = try json.number("compact_revision", in: 0...Self.maximumRevision)
        values = try json["kvs"].elements.map { value throws(EtcdError) in try EtcdKeyValue(value) }
        responses = try json["responses"].elements.map { response throws(EtcdError) in
            try EtcdResponse(response["response_range"])
        }
        events = try json["events"].elements.map { event throws(EtcdError) in
            EtcdEvent(isDeletion: event["type"].text == "DELETE", value: try EtcdKeyValue(event["kv"]))
        }
    }

    /// `auth/authenticate`
    var token: String? { json["token"].text }
    /// `kv/txn`: whether all conditions held.
    var hasSucceeded: Bool { json["succeeded"] == .bool(true) }
    /// `kv/range`: whether there are more keys than were requested.
    var hasMore: Bool { json["more"] == .bool(true) }
    /// `lease/timetolive`: whether keys are attached to the lease.
    var hasKeys: Bool { !json["keys"].elements.isEmpty }
    /// `watch`: whether this confirms the request.
    var isCreated: Bool { json["created"] == .bool(true) }
    /// `watch`: whether the watch has ended.
    var isCanceled: Bool { json["canceled"] == .bool(true) }
    /// `watch`: why it has ended.
    var cancelReason: String? { json["cancel_reason"].text.map { EtcdError.line($0.utf8) } }
}

/// A message of a stream.
struct EtcdStreamMessage: Sendable, Equatable {
    let result: EtcdResponse
    /// The error in the message, if any.
    let problem: String?

    init(_ json: JSONValue) throws(EtcdError) {
        result = try EtcdResponse(json["result"])
        problem = json["error"]["message"].text.map { EtcdError.line($0.utf8) }
    }
}

/// A key and its value.
struct EtcdKeyValue: Sendable, Equatable {
    let key: [UInt8]
    let value: [UInt8]
    /// The revision of its last change.
    let revision: Int64
    /// 0: none.
    let lease: Int64

    /// The value as text.
    var text: String { String(decoding: value, as: UTF8.self) }

    fileprivate init(_ json: JSONValue) throws(EtcdError) {
        key = json["key"].octets
        value = json["value"].octets
        revision = try json.number("mod_revision", in: 0...EtcdResponse.maximumRevision)
        // A lease is an identifier and may have any value: nothing is computed from it.
        lease = try json.number("lease", in: 0 ... .max)
    }
}

/// A change that a watch reports.
struct EtcdEvent: Sendable, Equatable {
    let isDeletion: Bool
    let value: EtcdKeyValue
}

extension JSONValue {
    /// The member of an object; `null` if there is none.
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

    /// A 64-bit number, which the gateway writes as a string; 0 if it is left out.
    fileprivate func number(_ name: String, in range: ClosedRange<Int64>) throws(EtcdError) -> Int64 {
        let number: Int64? =
            switch self[name] {
            case .null: 0
            case .string(let text): Int64(text)
            case .integer(let number): Int64(number)
            default: nil
            }
        guard let number, range.contains(number) else {
            throw EtcdError(kind: .unavailable, reason: "\(name) in etcd's answer is no number that can be right")
        }
        return number
    }

    fileprivate var octets: [UInt8] {
        text.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? []
    }
}
