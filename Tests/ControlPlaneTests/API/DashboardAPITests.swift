import Dashboard
import Foundation
import HTTPTypes
import NIOHTTP1
import Testing

@testable import ControlPlane

@Suite struct DashboardAPITests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../Sources/Dashboard/Page").standardizedFileURL

    @Test func `every file is served as it is, with its type`() async throws {
        let api = TestAPI()
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.page.path)
        #expect(names.count > 10)
        let types = ["html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"]
        for name in names {
            let answer = try await api.send(.get, name == "index.html" ? "/" : "/dashboard/\(name)")
            let octets = try Data(contentsOf: Self.page.appending(path: name))
            #expect(answer.status == 200 && answer.octets == Array(octets), "\(name)")
            let type = try #require(types[(name as NSString).pathExtension])
            #expect(answer.contentType.hasPrefix(type), "\(name)")
            let policy = try #require(answer.fields[.contentSecurityPolicy])
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe") && !policy.contains("*"))
            #expect(answer.fields[.cacheControl] == "no-cache")
            for name in ["Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"] {
                #expect(answer.fields[try #require(HTTPField.Name(name))] != nil)
            }
        }
        #expect(try await api.send(.get, "/dashboard/index.html").status == 404)
        #expect(try await api.send(.get, "/dashboard/..%2FPackage.swift").status == 404)
        #expect(try await api.send(.get, "/?x=1").status == 422)
        #expect(try await api.send(.post, "/", "{}").status == 405)
    }

    @Test func `the page asks for files that there are, and has no script or style of its own`() throws {
        let text = String(decoding: DashboardFile.page.octets, as: UTF8.self)
        let named = text.matches(of: #/(?:src|href)="dashboard/([^"]+)"/#).map { String($0.1) }
        let names = Set(DashboardFile.parts.map(\.name))
        #expect(named.count > 3 && names.isSuperset(of: named))
        #expect(text.firstMatch(of: #/<script>|<style|style=|\son[a-z]+=|https?:/#) == nil)
        for file in DashboardFile.parts where file.name.hasSuffix(".js") {
            let text = String(decoding: file.octets, as: UTF8.self)
            let imported = text.matches(of: #/from "\./([^"]+)"/#).map { String($0.1) }
            #expect(names.isSuperset(of: imported), "\(file.name)")
            #expect(text.firstMatch(of: #/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/#) == nil)
        }
    }

    @Test func `a client that has a file is told so`() async throws {
        let api = TestAPI()
        let tag = try #require(try await api.send(.get, "/").fields[.eTag])
        func status(_ known: String) async throws -> Int {
            let answer = try await api.send(.get, "/", fields: [("Host", "localhost"), ("If-None-Match", known)])
            #expect(answer.fields[.eTag] == tag && answer.fields[.cacheControl] == "no-cache")
            #expect((answer.status == 304) == answer.octets.isEmpty)
            return answer.status
        }
        #expect(try await status(tag) == 304)
        #expect(try await status("\"a\", W/\(tag)") == 304)
        #expect(try await status("*") == 304)
        #expect(try await status("\"a\"") == 200)
        #expect(try await api.send(.get, "/dashboard/main.js").fields[.eTag] != tag)
        // A length would be that of the page (RFC 9110 §8.6).
        let fields = ResponseWriter.fields(ServerResponse(status: .notModified), date: "", keepsConnection: true)
        #expect(!fields.contains(name: "content-length"))
    }

    @Test func `it needs no token, and is not counted`() async throws {
        let access = AccessControl()
        access.adopt(TokenTable([]))
        let api = TestAPI(access: access)
        api.handler.limiter.requestsPerSecond = 1
        for _ in 0..<5 {
            #expect(try await api.send(.get, "/").status == 200)
            #expect(try await api.send(.get, "/dashboard/main.js").status == 200)
        }
        #expect(try await api.send(.get, "/api/v1/status").status == 401)
    }
}
