import HTTPTypes

/// An error that more than one operation of the API can answer with, for its description.
struct ErrorResponse: Sendable {
    let status: Int
    /// Its name in the description's components.
    let name: String
    let description: String
    /// A header that the answer has, and its name in the components.
    var header: (name: String, component: String)?
    /// What the body may say.
    let detail: String
    var errors: [(field: String, message: String)] = []
    /// Whether an endpoint can give it.
    ///
    /// - Parameter needsToken: whether tokens are configured.
    let isGiven: @Sendable (_ endpoint: Endpoint, _ needsToken: Bool) -> Bool

    /// Those that an endpoint can give besides what its operation names.
    static func lines(for endpoint: Endpoint, needsToken: Bool) -> String {
        all.filter { $0.isGiven(endpoint, needsToken) && !endpoint.operation.contains("'\($0.status)':") }.map {
            "        '\($0.status)': {$ref: '#/components/responses/\($0.name)'}\n"
        }.joined()
    }

    /// It as one of the components.
    var component: String {
        var text = "    \(name):\n      description: >-\n        \(description)\n"
        if let header {
            text += "      headers: {\(header.name): {$ref: '#/components/headers/\(header.component)'}}\n"
        }
        text += """
                  content:
                    application/problem+json:
                      schema: {$ref: '#/components/schemas/Problem'}
                      example:
                        type: about:blank
                        title: \(title)
                        status: \(status)
                        detail: \(Self.quoted(detail))

            """
        if !errors.isEmpty { text += "            errors:\n" }
        for error in errors {
            text += "              - {field: \(Self.quoted(error.field)), message: \(Self.quoted(error.message))}\n"
        }
        return text
    }

    private var title: String { HTTPResponse.Status(code: status).reasonPhrase }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }

    static let all: [ErrorResponse] = [
        ErrorResponse(
            status: 400, name: "Malformed",
            description: """
                The body is not JSON, and the detail says where; or the request is not HTTP/1.1, or Host or
                        Authorization can't be read.
                """,
            detail: "not JSON: a value is missing at line 1, column 9", isGiven: { _, _ in true }),
        ErrorResponse(
            status: 401, name: "Unauthorized", description: "There is no token, or it is unknown.",
            header: ("WWW-Authenticate", "Challenge"), detail: "a bearer token is needed: Authorization: Bearer …",
            isGiven: { endpoint, _ in endpoint.access.role != nil }),
        ErrorResponse(
            status: 403, name: "Forbidden",
            description: """
                The token has not the role, or may not change the service; the detail says what is missing. Or a
                        web page of another origin wants to change something: then without WWW-Authenticate.
                """,
            detail: "the token 'deploy' may not change the service 'orders'",
            isGiven: { endpoint, _ in endpoint.access.role != nil }),
        ErrorResponse(
            status: 404, name: "Unknown", description: "There is no such instance, check or policy, or no such path.",
            detail: "there is no instance with the id 'orders-1'",
            isGiven: { endpoint, _ in !endpoint.path.variables.isEmpty }),
        ErrorResponse(
            status: 405, name: "OtherMethod", description: "The path has other methods than the one used.",
            header: ("Allow", "Allow"), detail: "only GET, HEAD, POST can be used here", isGiven: { _, _ in true }),
        ErrorResponse(
            status: 413, name: "TooLarge", description: "The body is too large; the detail says how large it may be.",
            detail: "the body has more than 1048576 octets",
            isGiven: { endpoint, _ in if case .json = endpoint.body { true } else { false } }),
        ErrorResponse(
            status: 415, name: "UnsupportedType",
            description: "The Content-Type is another one than the body's, or there is a Content-Encoding.",
            detail: "the Content-Type must be application/json", isGiven: { endpoint, _ in endpoint.body.isRead }),
        ErrorResponse(
            status: 421, name: "OtherHost",
            description: "Host is no name of this server: only without tokens.",
            detail: "'web.example' is no name of this server: use its address, or name it in server.hosts",
            isGiven: { _, needsToken in !needsToken }),
        ErrorResponse(
            status: 422, name: "Invalid", description: "Fields or parameters break a rule; every one is named.",
            detail: "not valid: port, tags[1]",
            errors: [
                ("port", "must be from 1 to 65535"),
                ("tags[1]", "must be a DNS label: 1 to 63 letters, digits and hyphens, with no hyphen at either end"),
            ],
            isGiven: { _, _ in true }),
        ErrorResponse(
            status: 429, name: "TooMany",
            description: "More than server.rate_limit allows this client's address; heartbeats are counted apart.",
            header: ("Retry-After", "RetryAfter"),
            detail: "this address may make 100 requests a second (server.rate_limit.requests_per_second)",
            isGiven: { endpoint, _ in endpoint.limit != nil }),
        ErrorResponse(
            status: 431, name: "HeadTooLarge", description: "The target, the header fields or trailers are too long.",
            detail: "the request line, header fields or trailers are too long", isGiven: { _, _ in true }),
        ErrorResponse(
            status: 501, name: "NotImplemented", description: "The Transfer-Encoding is another one than chunked.",
            detail: "the only Transfer-Encoding here is chunked", isGiven: { _, _ in true }),
        ErrorResponse(
            status: 503, name: "Unavailable", description: "Not now; try again.", header: ("Retry-After", "RetryAfter"),
            detail: "the registry is not loaded yet", isGiven: { endpoint, _ in endpoint.needsRegistry }),
    ]
}

extension Endpoint.Body {
    /// Whether a body is read.
    fileprivate var isRead: Bool {
        contentType != nil
    }
}

extension OpenAPIDocument {
    /// The body of an error.
    static let errorSchemas = """
            FieldError:
              type: object
              required: [field, message]
              properties:
                field:
                  description: Its path; empty for the whole body, "?" for the query.
                  type: string
                  maxLength: 129
                  examples: ['port', 'tags[2]', 'metadata.owner']
                message: {type: string}
            FieldErrors: {type: array, minItems: 1, maxItems: 20, items: {$ref: '#/components/schemas/FieldError'}}
            Problem:
              description: RFC 9457.
              type: object
              required: [type, title, status, detail]
              properties:
                type: {type: string, const: 'about:blank'}
                title: {type: string}
                status: {type: integer, minimum: 400, maximum: 599}
                detail: {type: string}
                errors: {$ref: '#/components/schemas/FieldErrors'}
        """
}
