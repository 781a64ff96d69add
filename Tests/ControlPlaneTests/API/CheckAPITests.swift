import Engine
import HTTPTypes
import Testing

@testable import ControlPlane

/// How instances come into DNS and leave it without being registered or deregistered.
@Suite struct CheckAPITests {
    private let api = TestAPI()
    private let check = #"{"name":"deploy","type":"ttl","ttl":"1h"}"#

    private func register(_ id: String, _ ip: String, name: String = "orders", _ more: String = "") async throws {
        let body = #"{"id":"\#(id)","name":"\#(name)","ip":"\#(ip)","port":80\#(more)}"#
        #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
    }

    @Test func `a reported result decides about DNS at once, and is shown`() async throws {
        try await api.test.running {
            try await register("a", "10.0.0.1", #","checks":[\#(check)]"#)
            try await register("b", "10.0.0.2")
            let path = "/api/v1/services/a/checks/deploy"
            let critical = try await api.send(.put, path, #"{"status":"critical","output":"no\ndisk"}"#)
            #expect(critical.status == 200 && critical["status"]?.text == "critical")
            #expect(api.test.zone.addresses("orders") == ["10.0.0.2"])
            let shown = try await api.send(.get, "/api/v1/services/a")
            #expect(
                shown["checks", "0", "status"]?.text == "critical" && shown["checks", "0", "output"]?.text == "no disk")
            #expect(shown["checks", "0", "since"]?.text == "2027-01-15T08:00:00.000Z")
            #expect(shown["checks", "0", "duration_ms"] == .null)
            // As it is shown, it can be registered; what it is known for stays.
            let again = String(decoding: shown.octets, as: UTF8.self)
            #expect(try await api.send(.post, "/api/v1/services", again)["status"]?.text == "critical")
            #expect(try await api.send(.put, path, #"{"status":"warning"}"#)["status"]?.text == "warning")
            #expect(api.test.zone.addresses("orders") == ["10.0.0.1", "10.0.0.2"])
        }
    }

    @Test func `a bad result is refused with each of its fields, and changes nothing`() async throws {
        try await api.test.running {
            try await register("a", "10.0.0.1", #","checks":[\#(check)]"#)
            let path = "/api/v1/services/a/checks/deploy"
            for (body, fields) in [
                ("{}", ["status"]), (#"{"status":"ill","output":1,"x":2}"#, ["status", "output", "x"]), ("[]", [""]),
                (#"{"status":null}"#, ["status"]),
            ] {
                let answer = try await api.send(.put, path, body)
                #expect(answer.status == 422 && answer.badFields == fields, "\(body)")
            }
            let good = #"{"status":"critical","output":null}"#
            #expect(try await api.send(.put, "/api/v1/services/a/checks/other", good).status == 404)
            #expect(try await api.send(.put, "/api/v1/services/x/checks/deploy", good).status == 404)
            #expect(try await api.send(.put, path + "?x=1", good).status == 422)
            #expect(try await api.send(.get, "/api/v1/services/a")["status"]?.text == "passing")
        }
    }

    @Test func `a host is drained before maintenance, or a service or those with a tag, and comes back`() async throws {
        try await api.test.running {
            try await register("a", "10.0.0.1")
            try await register("b", "10.0.0.2", #","tags":["v1"]"#)
            try await register("c", "10.0.0.1", name: "users")
            func changed(_ action: String, _ body: String) async throws -> JSONValue? {
                try await api.send(.post, "/api/v1/services/\(action)", body)["changed"]
            }
            #expect(try await changed("drain", #"{"ip":"10.0.0.1"}"#) == .integer(2))
            #expect(try await changed("drain", #"{"ip":"10.0.0.1"}"#) == .integer(0))
            #expect(api.test.zone.addresses("orders") == ["10.0.0.2"] && api.test.zone.addresses("users") == [])
            #expect(try await changed("drain", #"{"name":"Orders","tag":"V1"}"#) == .integer(1))
            #expect(api.test.zone.addresses("orders") == [])
            #expect(try await changed("undrain", #"{"name":"orders","tag":null}"#) == .integer(2))
            #expect(try await changed("undrain", #"{"name":"nobody"}"#) == .integer(0))
            #expect(api.test.zone.addresses("orders") == ["10.0.0.1", "10.0.0.2"])
            for (body, fields) in [
                ("{}", [""]), (#"{"ip":"10.0.0.1","name":"orders"}"#, [""]), (#"{"tag":"v1"}"#, [""]),
                (#"{"ip":"orders","x":1}"#, ["ip", "x"]), (#"{"name":7}"#, ["name"]), (#"{"name":"-a"}"#, ["name"]),
            ] {
                #expect(try await api.send(.post, "/api/v1/services/drain", body).badFields == fields, "\(body)")
            }
        }
    }
}
