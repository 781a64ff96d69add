/// The REST API of a server, for commands.
struct APIClient {
    /// Why there is no answer, in one line.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let server: String
    private let token: String?
    private let tls: ClientTLS

    /// - Parameters:
    ///   - server: `http://127.0.0.1:8080`, with or without a slash at its end.
    ///   - token: the bearer token to send; `nil`: none.
    ///   - tls: for https.
    init(server: String, token: String? = nil, tls: ClientTLS = ClientTLS()) {
        self.token = token
        self.tls = tls
        self.server = server.last == "/" ? String(server.dropLast()) : server
    }

    /// Gets JSON.
    ///
    /// - Parameters:
    ///   - path: without a query.
    ///   - parameters: of the query.
    /// - Returns: the answer and its text.
    func get(
        _ path: String, _ parameters: [(name: String, value: String)]
    ) async throws(Failure) -> (value: JSONReading, text: String) {
        let query = parameters.map { "\($0.name)=\(Self.percentEncoded($0.value))" }.joined(separator: "&")
        var request = HTTPClientRequest(method: .get, url: server + path + (query.isEmpty ? "" : "?\(query)"))
        if let token { request.fields = [.init(name: "Authorization", value: "Bearer \(token)")] }
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await HTTPClient(tls: tls.settings).send(request)
        } catch {
            throw Failure(description: "\(server): \(error)")
        }
        if let reason = refusal(response) { throw Failure(description: "\(server): \(reason)".escapingControls) }
        guard let parsed = try? JSONParser.parse(response.body) else {
            throw Failure(description: "\(server): status \(response.status), and no JSON")
        }
        let value = JSONReading(parsed)
        guard response.status == 200 else {
            let reasons = value["errors"].elements.map { "\($0["field"].text ?? "") \($0["message"].text ?? "")" }
            let detail = reasons.isEmpty ? value["detail"].text ?? "" : reasons.joined(separator: ", ")
            throw Failure(description: "\(response.status) \(detail)".escapingControls)
        }
        return (value, String(decoding: response.body, as: UTF8.self))
    }

    /// What a server's refusal means, in words; `nil`: the answer is none.
    private func refusal(_ response: HTTPClientResponse) -> String? {
        let advice = "--token-file FILE, --token TOKEN or KONG_DISCOVERY_TOKEN"
        let detail = (try? JSONParser.parse(response.body)).flatMap { JSONReading($0)["detail"].text }
        switch response.status {
        case 401 where token == nil: return "401: the server wants a token: \(advice)"
        case 401: return "401: the server does not know this token"
        case 403: return "403: not allowed" + (detail.map { ": \($0)" } ?? "")
        default: return nil
        }
    }

    /// RFC 3986 §2.1.
    private static func percentEncoded(_ text: String) -> String {
        var encoded = ""
        for octet in text.utf8 {
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                encoded.unicodeScalars.append(Unicode.Scalar(octet))
            default:
                let digits = String(octet, radix: 16, uppercase: true)
                encoded += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
        return encoded
    }
}

/// A value in an answer, or nothing: whatever is looked for in it may be missing.
struct JSONReading {
    let value: JSONValue?

    init(_ value: JSONValue?) {
        self.value = value
    }

    /// A member of an object.
    subscript(_ name: String) -> JSONReading {
        JSONReading(members.first { $0.name == name }?.value)
    }

    /// The elements of an array; empty for anything else.
    var elements: [JSONReading] {
        if case .array(let elements) = value { elements.map { JSONReading($0) } } else { [] }
    }

    /// The members of an object; empty for anything else.
    var members: [JSONMember] { if case .object(let members) = value { members } else { [] } }

    /// A string.
    var text: String? { if case .string(let text) = value { text } else { nil } }

    /// A whole number.
    var number: Int? { if case .integer(let number) = value { number } else { nil } }

    /// Whether it is `true`.
    var isTrue: Bool { value == .bool(true) }
}
