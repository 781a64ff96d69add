import FoundationEssentials

/// Reads the tree of CoreDNS' etcd plugin through etcd's JSON gateway, page by page.
///
/// https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
struct SkyDNSTree {
    private static let pageLength = 1000
    private static let maximumOctets = 64 << 20

    /// `http://127.0.0.1:2379`
    let url: String
    let tls: ClientTLS
    let timeout: Duration
    let instances: SkyDNSInstances

    /// Reads all keys.
    ///
    /// - Parameter body: is given the items of each page.
    func read(_ body: ([ImportItem]) async throws -> Void) async throws {
        let http: HTTPClient
        do { http = try HTTPClient(tls: tls.settings) } catch { throw CommandFailure("\(error)") }
        var start = Array("\(instances.prefix)/".utf8)
        // The first key behind all with the prefix: "0" follows "/".
        let end = Array("\(instances.prefix)0".utf8)
        var revision: String?
        while true {
            let page = try await page(http, start, end, revision)
            // All pages show the tree as it was when the first was read.
            if revision == nil { revision = page["header"]["revision"].text }
            let entries = page["kvs"].elements
            try await body(entries.compactMap { instances.item($0) })
            guard page["more"].isTrue, let last = entries.last?["key"].text.flatMap({ Data(base64Encoded: $0) }) else {
                return
            }
            start = Array(last) + [0]
        }
    }

    private func page(
        _ http: HTTPClient, _ start: [UInt8], _ end: [UInt8], _ revision: String?
    ) async throws -> JSONReading {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("key")
        writer.string(Data(start).base64EncodedString())
        writer.member("range_end")
        writer.string(Data(end).base64EncodedString())
        writer.member("limit")
        writer.string("\(Self.pageLength)")
        if let revision {
            writer.member("revision")
            writer.string(revision)
        }
        writer.endObject()
        let url = self.url.last == "/" ? String(self.url.dropLast()) : self.url
        var request = HTTPClientRequest(url: url + "/v3/kv/range", body: writer.octets, timeout: timeout)
        request.maximumBodyOctets = Self.maximumOctets
        request.fields = [.init(name: "Content-Type", value: "application/json")]
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await http.send(request)
        } catch {
            throw CommandFailure("\(url): \(error)", isUsage: error.kind == .invalidRequest)
        }
        let answer = JSONReading(try? JSONParser.parse(response.body))
        guard response.status == 200, !answer["header"].members.isEmpty else {
            let reason = answer["message"].text ?? answer["error"].text ?? "is this etcd?"
            throw CommandFailure("\(url): status \(response.status): \(reason)")
        }
        return answer
    }
}
