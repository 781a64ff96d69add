import HTTPTypes
import Testing

@testable import ControlPlane

@Suite struct PolicyAPITests {
    private let api = TestAPI()
    private let path = "/api/v1/names/Orders/policy"

    @Test func `a policy is set, shown, replaced as a whole, and removed`() async throws {
        try await api.test.running {
            #expect(try await api.send(.get, path).status == 404)
            #expect(try await api.send(.delete, path).status == 404)
            let body = """
                {"strategy":"weighted","on_empty":"nodata","empty_grace":"90s","priorities":"all",
                 "protect_threshold":0.25,"dns_ttl":60,"max_weight":0,"min_priority":65535}
                """
            let set = try await api.send(.put, path, body)
            #expect(set.status == 200)
            let shown = try await api.send(.get, path)
            #expect(shown.status == 200 && shown.json == set.json)
            #expect(shown.json == (try JSONParser.parse(Array(body.utf8))))
            let second = try await api.send(.put, path, #"{"empty_grace":2,"strategy":null,"dns_ttl":"2m"}"#)
            let expected = try JSONParser.parse(Array(#"{"empty_grace":"2s","dns_ttl":120}"#.utf8))
            #expect(second.status == 200 && second.json == expected)
            #expect(api.test.registry.policy(of: "orders") == ServicePolicy(emptyGrace: .seconds(2), dnsTTL: 120))
            for answer in ServicePolicy.EmptyAnswer.allCases {
                #expect(try await api.send(.put, path, #"{"on_empty":"\#(answer.rawValue)"}"#).status == 200)
                #expect(api.test.registry.policy(of: "orders") == ServicePolicy(onEmpty: answer))
            }
            #expect(try await api.send(.delete, path).status == 204)
            #expect(try await api.send(.get, path).status == 404)
            #expect(try await api.send(.put, path, "{}").status == 200)
        }
    }

    @Test func `every bad field is named, and nothing changes`() async throws {
        try await api.test.running {
            let bad = """
                {"strategy":"best","on_empty":"last","empty_grace":"2h","priorities":1,"protect_threshold":1.5,
                 "dns_ttl":0,"weight":1,"max_weight":65536,"min_priority":-1}
                """
            let answer = try await api.send(.put, path, bad)
            #expect(answer.status == 422)
            #expect(
                Set(answer.badFields) == [
                    "strategy", "on_empty", "empty_grace", "priorities", "protect_threshold", "dns_ttl", "weight",
                    "max_weight", "min_priority",
                ])
            #expect(try await api.send(.put, path, "[]").status == 422)
            #expect(try await api.send(.put, path, "{").status == 400)
            for field in [
                #""empty_grace":-1"#, #""dns_ttl":"500ms""#, #""protect_threshold":"1""#, #""dns_ttl":86401"#,
            ] {
                #expect(try await api.send(.put, path, "{\(field)}").status == 422, "\(field)")
            }
            for name in ["addr", "-a", "a.b", "%C3%A9"] {
                let answer = try await api.send(.put, "/api/v1/names/\(name)/policy", #"{"dns_ttl":0}"#)
                #expect(answer.status == 422 && Set(answer.badFields) == ["name", "dns_ttl"], "\(name)")
                #expect(try await api.send(.get, "/api/v1/names/\(name)/policy").status == 404)
            }
            #expect(api.test.registry.store.allPolicies().isEmpty)
        }
    }
}
