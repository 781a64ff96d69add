import Foundation
import Testing

/// A client of etcd's JSON gateway, with which a test inspects and changes etcd's data.
struct EtcdClient {
    /// A key with what etcd knows about it.
    struct Entry: Equatable {
        var key: String
        var value: [UInt8]
        /// 0 if there is none.
        var lease: Int
        var modRevision: Int

        var text: String { String(decoding: value, as: UTF8.self) }
    }

    struct Lease: Equatable {
        /// The seconds that are left; -1 if there is no such lease.
        var left: Int
        /// The seconds for which it was granted.
        var granted: Int
        var keys: [String]
    }

    struct MemberStatus: Equatable {
        var member: String
        /// "0" if there is none.
        var leader: String
        var revision: Int
    }

    /// A call that etcd refuses.
    struct Refused: Error, CustomStringConvertible {
        var description: String
    }

    var endpoint: Endpoint
    /// The token from ``authenticated(_:_:)``; empty without authentication.
    var token = ""

    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    /// Sets a key.
    func put(_ key: String, _ value: some Collection<UInt8>, lease: Int = 0) throws {
        let members = ["key": base64(key.utf8), "value": base64(value), "lease": "\(lease)"]
        try call("kv/put", members)
    }

    /// The keys with this prefix.
    func entries(_ prefix: String) throws -> [Entry] {
        struct Response: Decodable {
            struct Pair: Decodable {
                var key: String
                var value: String?
                var lease: String?
                var modRevision: String

                enum CodingKeys: String, CodingKey {
                    case key, value, lease
                    case modRevision = "mod_revision"
                }
            }
            var kvs: [Pair]?
        }
        let response: Response = try call("kv/range", range(prefix))
        return (response.kvs ?? []).map { pair in
            Entry(
                key: String(decoding: octets(pair.key), as: UTF8.self), value: octets(pair.value ?? ""),
                lease: Int(pair.lease ?? "0") ?? 0, modRevision: Int(pair.modRevision) ?? 0)
        }
    }

    /// Deletes the keys with this prefix.
    func delete(_ prefix: String) throws {
        try call("kv/deleterange", range(prefix))
    }

    /// Grants a lease.
    func grant(seconds: Int) throws -> Int {
        struct Response: Decodable {
            var id: String
            enum CodingKeys: String, CodingKey { case id = "ID" }
        }
        let response: Response = try call("lease/grant", ["TTL": "\(seconds)"])
        return try #require(Int(response.id))
    }

    /// All leases.
    func leases() throws -> [Int] {
        struct Response: Decodable {
            struct Lease: Decodable {
                var id: String
                enum CodingKeys: String, CodingKey { case id = "ID" }
            }
            var leases: [Lease]?
        }
        let response: Response = try call("lease/leases", [String: String]())
        return (response.leases ?? []).compactMap { Int($0.id) }
    }

    /// The state of a lease.
    func lease(_ id: Int) throws -> Lease {
        struct Response: Decodable {
            var left: String
            var granted: String?
            var keys: [String]?

            enum CodingKeys: String, CodingKey {
                case left = "TTL"
                case granted = "grantedTTL"
                case keys
            }
        }
        struct Request: Encodable {
            var id: String
            var keys = true
            enum CodingKeys: String, CodingKey {
                case id = "ID"
                case keys
            }
        }
        let response: Response = try call("lease/timetolive", Request(id: "\(id)"))
        return Lease(
            left: Int(response.left) ?? 0, granted: Int(response.granted ?? "0") ?? 0,
            keys: (response.keys ?? []).map { String(decoding: octets($0), as: UTF8.self) })
    }

    /// Forgets all revisions before the current one.
    func compact() throws {
        try call("kv/compaction", ["revision": "\(try status().revision)"])
    }

    /// Frees the space of what was forgotten, and ends the alarm about missing space.
    func freeSpace() throws {
        try compact()
        try call("maintenance/defragment", [String: String]())
        try call(
            "maintenance/alarm", ["action": "DEACTIVATE", "alarm": "NOSPACE", "memberID": "\(try status().member)"])
    }

    /// What the member reports about itself.
    func status() throws -> MemberStatus {
        struct Response: Decodable {
            struct Header: Decodable {
                var member: String
                var revision: String
                enum CodingKeys: String, CodingKey {
                    case member = "member_id"
                    case revision
                }
            }
            var header: Header
            var leader: String?
        }
        let response: Response = try call("maintenance/status", [String: String]())
        return MemberStatus(
            member: response.header.member, leader: response.leader ?? "0",
            revision: Int(response.header.revision) ?? 0)
    }

    /// Requires names and passwords from now on: root's, and those of a user that may use only one prefix.
    func enableAuthentication(root: String, user: String, password: String, prefix: String) throws {
        try addUsers(root: root, user: user, password: password, prefix: prefix)
        try enableAuthentication()
    }

    /// Creates root, and a user that may use only one prefix, for the time when authentication is enabled.
    func addUsers(root: String, user: String, password: String, prefix: String) throws {
        try call("auth/user/add", ["name": "root", "password": root])
        try call("auth/role/add", ["name": "root"])
        try call("auth/user/grant", ["user": "root", "role": "root"])
        try call("auth/role/add", ["name": "limited"])
        struct Grant: Encodable {
            var name: String
            var perm: [String: String]
        }
        let permission = range(prefix).merging(["permType": "READWRITE"]) { $1 }
        try call("auth/role/grant", Grant(name: "limited", perm: permission))
        try call("auth/user/add", ["name": user, "password": password])
        try call("auth/user/grant", ["user": user, "role": "limited"])
    }

    /// Requires names and passwords of the existing users from now on.
    func enableAuthentication() throws { try call("auth/enable", [String: String]()) }

    /// Requires no names from now on, which only root may do.
    func disableAuthentication() throws { try call("auth/disable", [String: String]()) }

    /// The same client with a token.
    func authenticated(_ user: String, _ password: String) throws -> EtcdClient {
        struct Response: Decodable { var token: String }
        let response: Response = try call("auth/authenticate", ["name": user, "password": password])
        var client = self
        client.token = response.token
        return client
    }

    private func range(_ prefix: String) -> [String: String] {
        // The first key without the prefix. No prefix of a test ends with 255.
        var end = Array(prefix.utf8)
        end[end.count - 1] += 1
        return ["key": base64(prefix.utf8), "range_end": base64(end)]
    }

    private struct Anything: Decodable {}

    private func call(_ path: String, _ body: some Encodable) throws {
        let _: Anything = try call(path, body)
    }

    private func call<Response: Decodable>(_ path: String, _ body: some Encodable) throws -> Response {
        let fields = token.isEmpty ? [] : ["Authorization: \(token)"]
        let response = try HTTPConnection(endpoint).request("POST", "/v3/\(path)", json(body), fields: fields)
        guard response.status == 200 else { throw Refused(description: "\(path): \(response.text)") }
        return try response.decoded()
    }

    private func base64(_ octets: some Collection<UInt8>) -> String { Data(octets).base64EncodedString() }

    private func octets(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }
}
