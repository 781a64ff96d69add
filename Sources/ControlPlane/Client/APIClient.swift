/// The REST API of a server, for commands.
///
/// It keeps its connection. A failure says what is wrong, where, and what to do.
struct APIClient: Sendable {
    /// An answer with a status of 2xx.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
        /// `X-Registry-Index`, if the answer has it.
        var index: UInt64?

        /// The body as it is.
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// A body to send.
    enum Body: Sendable {
        case none
        case json([UInt8])
        /// Read while it is sent.
        case upload(HTTPClientUpload, contentType: String)
    }

    /// Parameters of a query, in their order.
    typealias Query = [(name: String, value: String)]

    /// The field by which a list can be waited for.
    private static let indexField = "X-Registry-Index"
    /// The most octets of an answer that is not streamed: a page has 1 MiB, the results of a batch about as many.
    private static let maximumBodyOctets = 16 << 20

    let access: ServerAccess
    private let http: HTTPClient

    /// - Throws: if the system is out of threads, memory or descriptors.
    init(_ access: ServerAccess) throws(CommandFailure) {
        self.access = access
        do throws(HTTPClientError) {
            http = try HTTPClient(tls: access.tls.settings)
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    /// A path of which each part may be any text.
    static func path(_ parts: String...) -> String {
        "/api/v1/" + parts.map { percentEncoded($0) }.joined(separator: "/")
    }

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - path: begins with a slash, and is encoded already.
    ///   - timeout: for all of it; `nil`: that of the access.
    /// - Throws: unless the status is 2xx.
    func send(
        _ method: HTTPClientRequest.Method = .get, _ path: String, _ query: Query = [], body: Body = .none,
        timeout: Duration? = nil
    ) async throws(CommandFailure) -> Answer {
        var request = self.request(method, path, query, body)
        request.timeout = timeout ?? access.timeout
        request.wantedFields = [Self.indexField]
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await http.send(request)
        } catch {
            throw failure(error)
        }
        if let refusal = refusal(response) { throw refusal }
        return Answer(
            status: response.status, body: response.body, index: response.field(Self.indexField).flatMap { UInt64($0) })
    }

    /// Gets JSON.
    func get(
        _ path: String, _ query: Query = [], timeout: Duration? = nil
    ) async throws(CommandFailure) -> (value: JSONReading, answer: Answer) {
        let answer = try await send(.get, path, query, timeout: timeout)
        return (try json(answer), answer)
    }

    /// The JSON of an answer.
    func json(_ answer: Answer) throws(CommandFailure) -> JSONReading {
        guard let value = try? JSONParser.parse(answer.body) else {
            throw CommandFailure(
                "\(access.url): status \(answer.status), and no JSON: is this the REST API of kong-discovery?")
        }
        return JSONReading(value)
    }

    /// Makes a request whose answer or body may be long, and may take any time as long as something moves.
    ///
    /// - Parameters:
    ///   - fields: besides those that are always sent.
    ///   - silence: how long nothing may move.
    ///   - onOctets: gets the body of a 2xx answer piece by piece, on another thread; `false` ends the stream.
    /// - Throws: unless the status is 2xx.
    func stream(
        _ method: HTTPClientRequest.Method = .get, _ path: String, _ query: Query = [],
        fields: [HTTPClientRequest.Field] = [], body: Body = .none, silence: Duration = .seconds(60),
        onBegin: @escaping @Sendable () -> Void = {}, onOctets: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(CommandFailure) {
        var request = self.request(method, path, query, body)
        request.fields += fields
        request.timeout = nil
        request.silenceTimeout = silence
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await http.stream(
                request, onResponse: { if (200...299).contains($0) { onBegin() } }, onOctets: onOctets)
        } catch {
            throw failure(error)
        }
        if let refusal = refusal(response) { throw refusal }
    }

    private func request(
        _ method: HTTPClientRequest.Method, _ path: String, _ query: Query, _ body: Body
    ) -> HTTPClientRequest {
        let parameters = query.map { "\($0.name)=\(Self.percentEncoded($0.value))" }.joined(separator: "&")
        var request = HTTPClientRequest(
            method: method, url: access.url + path + (parameters.isEmpty ? "" : "?\(parameters)"))
        request.connectTimeout = min(access.timeout, .seconds(5))
        request.maximumBodyOctets = Self.maximumBodyOctets
        if let token = access.token { request.fields.append(.init(name: "Authorization", value: "Bearer \(token)")) }
        switch body {
        case .none: break
        case .json(let octets):
            request.fields.append(.init(name: "Content-Type", value: "application/json"))
            request.body = octets
        case .upload(let upload, let contentType):
            request.fields.append(.init(name: "Content-Type", value: contentType))
            request.upload = upload
        }
        return request
    }

    private func failure(_ error: HTTPClientError) -> CommandFailure {
        switch error.kind {
        case .cannotConnect:
            CommandFailure("\(access.url): \(error); --server or KONG_DISCOVERY_URL says where the server is")
        case .timedOut: CommandFailure("\(access.url): \(error); --timeout gives it longer")
        case .tls: CommandFailure("\(access.url): \(error); --cacert says which authority to trust")
        case .invalidRequest: .usage("\(access.url): \(error)")
        default: CommandFailure("\(access.url): \(error)")
        }
    }

    /// What a server's refusal means, in words; `nil`: the answer is none.
    private func refusal(_ response: HTTPClientResponse) -> CommandFailure? {
        if (200...299).contains(response.status) { return nil }
        let problem = JSONReading(try? JSONParser.parse(response.body))
        let reasons = Self.reasons(problem["errors"])
        let detail = reasons.isEmpty ? problem["detail"].text ?? "" : reasons
        let status = response.status
        let text =
            switch status {
            case 401 where access.token == nil:
                "the server wants a token: --token-file FILE, --token TOKEN or KONG_DISCOVERY_TOKEN"
            case 401: "the server does not know this token"
            case 403: "not allowed" + (detail.isEmpty ? "" : ": \(detail)")
            default: detail.isEmpty ? "no words for it: is this the REST API of kong-discovery?" : detail
            }
        return CommandFailure("\(access.url): \(status): \(text)", status: status)
    }

    /// The errors of a body, or of an item of a batch, in one line; empty: there are none.
    static func reasons(_ errors: JSONReading) -> String {
        errors.elements.map { error in
            [error["field"].text ?? "", error["message"].text ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
        }.joined(separator: "; ")
    }

    /// RFC 3986 §2.1.
    static func percentEncoded(_ text: String) -> String {
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
