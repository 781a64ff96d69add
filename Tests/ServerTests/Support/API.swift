import Foundation
import Testing

/// The body of `POST /api/v1/services`. The instance is permanent unless a ttl is given.
struct Registration: Encodable {
    var name: String
    var ip: String
    var port = 80
    var id: String?
    var `protocol`: String?
    var tags: [String]?
    var metadata: [String: String]?
    var weight: Int?
    var priority: Int?
    var ttl: Int? = 0
    var dnsTTL: Int?

    enum CodingKeys: String, CodingKey {
        case name, ip, port, id, `protocol`, tags, metadata, weight, priority, ttl
        case dnsTTL = "dns_ttl"
    }

    init(
        _ name: String,
        _ ip: String,
        port: Int = 80,
        id: String? = nil,
        protocol: String? = nil,
        tags: [String]? = nil,
        metadata: [String: String]? = nil,
        weight: Int? = nil,
        priority: Int? = nil,
        ttl: Int? = 0,
        dnsTTL: Int? = nil
    ) {
        self.name = name
        self.ip = ip
        self.port = port
        self.id = id
        self.protocol = `protocol`
        self.tags = tags
        self.metadata = metadata
        self.weight = weight
        self.priority = priority
        self.ttl = ttl
        self.dnsTTL = dnsTTL
    }
}

/// A service instance as the API shows it.
struct Instance: Decodable, Equatable {
    var id: String
    var name: String
    var ip: String
    var port: Int
    var status: String
    var ttl: Int
    var expiresAt: String?

    enum CodingKeys: String, CodingKey {
        case id, name, ip, port, status, ttl
        case expiresAt = "expires_at"
    }
}

/// The answer to a batch.
struct BatchResponse: Decodable {
    struct Result: Decodable {
        var status: Int
        var id: String?
        var errors: [Problem.FieldError]?
    }
    var results: [Result]
}

/// An error of the API (RFC 9457).
struct Problem: Decodable {
    struct FieldError: Decodable {
        var field: String
        var message: String
    }
    var type: String
    var title: String
    var status: Int
    var detail: String
    var errors: [FieldError]?
}

extension HTTPConnection {
    /// Registers an instance, and requires success.
    @discardableResult
    func register(_ registration: Registration) throws -> Instance {
        let response = try request("POST", "/api/v1/services", json(registration))
        try #require([200, 201].contains(response.status), "\(response.text)")
        return try response.decoded()
    }

    /// Deregisters an instance, which must exist.
    func deregister(_ id: String) throws {
        let response = try request("DELETE", "/api/v1/services/\(id)")
        try #require(response.status == 204, "\(response.text)")
    }

    /// Changes an instance, which must exist.
    func patch(_ id: String, _ json: String) throws {
        let response = try request("PATCH", "/api/v1/services/\(id)", json)
        try #require(response.status == 200, "\(response.text)")
    }

    /// Registers and deregisters in one batch.
    func batch(register: [Registration] = [], deregister: [String] = []) throws -> [BatchResponse.Result] {
        struct Body: Encodable {
            var register: [Registration]
            var deregister: [String]
        }
        let body = json(Body(register: register, deregister: deregister))
        let response = try request("POST", "/api/v1/services/batch", body)
        try #require(response.status == 200, "\(response.text)")
        return try response.decoded(as: BatchResponse.self).results
    }
}

extension ServerProcess {
    /// Checks that the server works: it registers and answers.
    func expectWell() throws {
        try HTTPConnection(rest).register(Registration("well", "10.0.0.1"))
        let reply = try ask("well.service.kong")
        #expect(reply.texts == ["10.0.0.1"])
    }
}

/// A value as JSON.
func json(_ value: some Encodable) -> String {
    // These types can always be encoded. Otherwise the server would report that an empty body is not JSON.
    (try? JSONEncoder().encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
}
