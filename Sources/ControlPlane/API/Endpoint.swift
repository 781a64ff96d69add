import Engine
import HTTPTypes
import NIOCore

/// One thing that the API can be asked for, with all that there is to say about it.
final class Endpoint: Sendable {
    /// Who may ask for it.
    enum Access: Sendable {
        /// Anybody.
        case open
        /// Who may see what is registered.
        case read
        /// Who may register.
        case write
        /// Who runs the server.
        case admin
    }

    /// What is read of a request's body.
    enum Body: Sendable {
        /// It does not matter.
        case none
        /// JSON, of so many octets at most.
        case json(maximumOctets: Int)
    }

    /// A request for it.
    struct Request: Sendable {
        /// What stands for `{id}` in the path; empty where there is none.
        var id = ""
        var target: RequestTarget
        /// When it came.
        var arrival: Moment
        /// Who sends it.
        var client: IPAddress?
        /// The whole body; empty when it does not matter.
        var body = ByteBuffer()
    }

    /// Answers a request.
    typealias Handler = @Sendable (APIHandler, Request) async -> ServerResponse

    /// GET stands for HEAD too.
    let method: HTTPRequest.Method
    let path: PathPattern
    let access: Access
    let body: Body
    /// The query parameters that it takes.
    let parameters: [String]
    /// Whether its answer is made of what is registered.
    let needsRegistry: Bool
    /// Its part of the description: an OpenAPI operation object in YAML.
    let operation: String
    let handler: Handler

    init(
        _ method: HTTPRequest.Method, _ path: PathPattern, access: Access, body: Body = .none,
        parameters: [String] = [], needsRegistry: Bool = false, operation: String, handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.body = body
        self.parameters = parameters
        self.needsRegistry = needsRegistry
        self.operation = operation
        self.handler = handler
    }

    /// What it can be asked with (RFC 9110 §10.2.1).
    var methods: [HTTPRequest.Method] { method == .get ? [.get, .head] : [method] }
}
