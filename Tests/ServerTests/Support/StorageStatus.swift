import Testing

/// What the server reports about its storage.
struct StorageStatus: Decodable {
    var type: String
    var health: String
    var lag: Double
    /// Present only while the storage is failing.
    var problem: String?
    /// Only etcd has the following fields.
    var endpoint: String?
    var revision: Int?
    var malformed: Int?
    var waitingHeartbeats: Int?

    enum CodingKeys: String, CodingKey {
        case type, health, problem, endpoint, revision
        case lag = "lag_seconds"
        case malformed = "malformed_values"
        case waitingHeartbeats = "waiting_heartbeats"
    }
}

/// An instance with everything that a GET shows, except its lease.
struct WholeInstance: Decodable, Equatable {
    var id, name, ip, `protocol`, status, registeredAt: String
    var port, weight, priority, ttl, dnsTTL: Int
    var tags: [String]
    var metadata: [String: String]

    enum CodingKeys: String, CodingKey {
        case id, name, ip, `protocol`, status, port, weight, priority, ttl, tags, metadata
        case dnsTTL = "dns_ttl"
        case registeredAt = "registered_at"
    }
}

extension HTTPConnection {
    /// The `storage` part of the status.
    func storage() throws -> StorageStatus {
        struct Status: Decodable { var storage: StorageStatus }
        return try request("GET", "/api/v1/status").decoded(as: Status.self).storage
    }

    /// The whole list, read page by page.
    func list() throws -> [WholeInstance] {
        struct Page: Decodable {
            var services: [WholeInstance]
            var next: String?
            enum CodingKeys: String, CodingKey {
                case services
                case next = "next_cursor"
            }
        }
        var all: [WholeInstance] = []
        var cursor = ""
        repeat {
            let place = cursor.isEmpty ? "" : "&cursor=\(cursor)"
            let page = try request("GET", "/api/v1/services?limit=1000\(place)").decoded(as: Page.self)
            all += page.services
            cursor = page.next ?? ""
        } while !cursor.isEmpty
        return all
    }

    /// Sends a heartbeat.
    ///
    /// - Returns: the status code.
    func heartbeat(_ id: String) throws -> Int {
        try request("PUT", "/api/v1/services/\(id)/heartbeat").status
    }

    /// Sends writes of every kind to an existing instance. Each must be refused for now, and change nothing.
    func expectUnavailable(
        _ id: String,
        within time: Duration,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let before = try request("GET", "/api/v1/services/\(id)").decoded(as: WholeInstance.self)
        let writes = [
            ("POST", "/api/v1/services", json(Registration("refused", "10.9.9.9", id: "refused"))),
            ("PATCH", "/api/v1/services/\(id)", #"{"weight":7,"draining":true}"#),
            ("DELETE", "/api/v1/services/\(id)", nil),
        ]
        for (method, path, body) in writes {
            let start = ContinuousClock.now
            let response = try request(method, path, body)
            #expect(response.status == 503, "\(method): \(response.text)", sourceLocation: location)
            #expect(Int(response.fields["retry-after"] ?? "") ?? 0 >= 1, sourceLocation: location)
            #expect(response.fields["content-type"] == "application/problem+json", sourceLocation: location)
            #expect(start.duration(to: .now) < time, "\(method)", sourceLocation: location)
        }
        #expect(try request("GET", "/api/v1/services/refused").status == 404, sourceLocation: location)
        let after = try request("GET", "/api/v1/services/\(id)").decoded(as: WholeInstance.self)
        #expect(after == before, sourceLocation: location)
        #expect(try heartbeat(id) == 200, sourceLocation: location)
    }
}
