import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1

/// One endpoint of the API, with everything there is to know about it.
final class Endpoint: Sendable {
    /// Who may use it.
    enum Access: Sendable {
        /// Anybody.
        case open
        /// Those who may see what is registered.
        case read
        /// Those who may register.
        case write
        /// Those who run the server.
        case admin

        /// The role that a token needs; `nil`: none is needed.
        var role: Role? {
            switch self {
            case .open: nil
            case .read: .read
            case .write: .write
            case .admin: .admin
            }
        }
    }

    /// What is read of a request's body.
    enum Body: Sendable {
        /// Nothing: the body does not matter.
        case none
        /// JSON of at most this many octets.
        case json(maximumOctets: Int)
        /// A body of any length with this media type, which is taken in as it comes.
        case stream(contentType: String)

        /// The media type; `nil`: nothing is read.
        var contentType: String? {
            switch self {
            case .none: nil
            case .json: "application/json"
            case .stream(let contentType): contentType
            }
        }
    }

    /// A request for it.
    struct Request: Sendable {
        /// The segments in place of the path's variables, in order.
        var variables: [String] = []
        var target: RequestTarget
        /// When it arrived.
        var arrival: Moment
        /// Who sends it, and what it may change.
        var requester: Requester
        /// The subject of the client's certificate, if TLS has verified one.
        var certificateSubject: String?
        /// Its fields.
        var fields = HTTPHeaders()
        /// Tells when nobody waits for the answer any longer.
        var connectionEnd: ConnectionEnd?
        /// The whole body; empty if it does not matter.
        var body = ByteBuffer()

        /// The address that it comes from.
        var client: IPAddress? { requester.client }

        /// The segment in place of the path's first variable: an id or a name; empty if the path has none.
        var id: String { variables.first ?? "" }
    }

    /// Answers a request.
    typealias Handler = @Sendable (APIHandler, Request) async -> ServerResponse

    /// Begins to take in the body of a request.
    typealias Receiver = @Sendable (APIHandler, Request) async -> Result<any BodyReceiver, ResponseError>

    /// GET stands for HEAD too.
    let method: HTTPRequest.Method
    let path: PathPattern
    let access: Access
    /// What its requests are counted with; `nil`: there may be any number.
    let limit: RequestLimiter.Kind?
    let body: Body
    /// The query parameters that it takes.
    let parameters: [String]
    /// Whether its answer depends on what is registered.
    let needsRegistry: Bool
    /// Its part of the API's description: an OpenAPI operation object in YAML.
    let operation: String
    let handler: Handler
    /// For a body that is taken in as it comes.
    let receiver: Receiver?

    init(
        _ method: HTTPRequest.Method, _ path: PathPattern, access: Access, limit: RequestLimiter.Kind? = .requests,
        body: Body = .none, parameters: [String] = [], needsRegistry: Bool = false, operation: String,
        receiver: Receiver? = nil, handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.limit = limit
        self.body = body
        self.parameters = parameters
        self.needsRegistry = needsRegistry
        self.operation = operation
        self.receiver = receiver
        self.handler = handler
    }

    /// An endpoint that takes a body in as it comes.
    convenience init(
        _ method: HTTPRequest.Method, _ path: PathPattern, access: Access, streamed contentType: String,
        parameters: [String] = [], needsRegistry: Bool, operation: String, receiver: @escaping Receiver
    ) {
        self.init(
            method, path, access: access, body: .stream(contentType: contentType), parameters: parameters,
            needsRegistry: needsRegistry, operation: operation, receiver: receiver
        ) { api, request in
            switch await receiver(api, request) {
            case .failure(let error): return error.response
            case .success(let receiver):
                if let response = await receiver.take(request.body) { return response }
                return await receiver.finish()
            }
        }
    }

    /// The methods that it allows (RFC 9110 §10.2.1).
    var methods: [HTTPRequest.Method] { method == .get ? [.get, .head] : [method] }

    /// Its method and path, for the log.
    var title: String { "\(method.rawValue) \(path)" }
}
