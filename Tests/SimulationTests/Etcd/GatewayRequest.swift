import FoundationEssentials

@testable import ControlPlane

/// A request to etcd's JSON gateway, as a server reads it.
struct GatewayRequest {
    private let json: JSONValue

    init(_ body: some Sequence<UInt8>) { json = (try? JSONParser.parse(Array(body))) ?? .null }

    private init(json: JSONValue) { self.json = json }

    subscript(name: String) -> GatewayRequest {
        guard case .object(let members) = json else { return GatewayRequest(json: .null) }
        return GatewayRequest(json: members.first { $0.name == name }?.value ?? .null)
    }

    var number: Int64 {
        if case .string(let text) = json { Int64(text) ?? 0 } else { 0 }
    }

    var octets: [UInt8] {
        if case .string(let text) = json { Data(base64Encoded: text).map { Array($0) } ?? [] } else { [] }
    }

    var text: String { String(decoding: octets, as: UTF8.self) }

    /// The transaction of a request to `kv/txn`.
    var transaction: EtcdTransaction {
        EtcdTransaction(
            conditions: self["compare"].elements.map { condition in
                let isLimit = condition["result"].json == .string("LESS")
                return EtcdTransaction.Condition(
                    key: condition["key"].text, revision: condition["mod_revision"].number - (isLimit ? 1 : 0),
                    isLimit: isLimit)
            },
            success: self["success"].elements.map(\.operation),
            failure: self["failure"].elements.map(\.operation))
    }

    private var elements: [GatewayRequest] {
        if case .array(let elements) = json { elements.map(GatewayRequest.init(json:)) } else { [] }
    }

    private var operation: EtcdTransaction.Operation {
        let (put, delete) = (self["request_put"], self["request_delete_range"])
        if put.json != .null {
            return .put(key: put["key"].text, value: put["value"].octets, lease: put["lease"].number)
        }
        return delete.json != .null ? .delete(key: delete["key"].text) : .get(key: self["request_range"]["key"].text)
    }

    static func base64(_ octets: [UInt8]) -> String { Data(octets).base64EncodedString() }
}
