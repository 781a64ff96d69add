import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1

/// The head of a request, with the time of its arrival and the client's address.
struct RequestHead: Sendable {
    var method: HTTPRequest.Method
    /// As sent: a path with its query, or a whole URI (RFC 9112 §3.2).
    var target: String
    var fields = HTTPHeaders()
    /// Whether it is HTTP/1.0, which has no `Host`, no chunks, and one request for each connection.
    var isVersion10 = false
    /// Whether another request may follow on its connection.
    var keepsConnection = true
    /// When it was read from its connection; from then on its sender waits.
    var arrival: Moment
    /// The address of the other end.
    var client: IPAddress?
    /// The subject of the client's certificate, if TLS has verified one.
    var certificateSubject: String?
    /// Tells when nobody waits for the answer any longer.
    var connectionEnd: ConnectionEnd?

    /// Whether a body follows, even an empty one.
    var hasBody: Bool {
        fields.contains(name: "transfer-encoding") || (contentLength ?? 0) > 0
    }

    /// The length of the body according to its field.
    var contentLength: Int? { fields.first(name: "content-length").flatMap { Int($0) } }

    /// Whether it changes something, or is meant to (RFC 9110 §9.2.1).
    var isChange: Bool { method != .get && method != .head }
}

extension RequestHead {
    /// A head as NIO has read it.
    init(_ head: HTTPRequestHead, arrival: Moment, client: IPAddress?, connectionEnd: ConnectionEnd) {
        method = HTTPRequest.Method(head.method)
        target = head.uri
        fields = head.headers
        isVersion10 = head.version == .http1_0
        keepsConnection = head.isKeepAlive && !isVersion10 && head.method != .CONNECT
        self.arrival = arrival
        self.client = client
        self.connectionEnd = connectionEnd
    }
}

extension HTTPRequest.Method {
    /// NIO's name for the method. A text that is no token becomes `OPTIONS`, which no endpoint allows.
    fileprivate init(_ method: HTTPMethod) {
        self =
            switch method {
            case .GET: .get
            case .HEAD: .head
            case .POST: .post
            case .PUT: .put
            case .PATCH: .patch
            case .DELETE: .delete
            default: Self(method.rawValue) ?? .options
            }
    }
}

/// A part of a request, as it comes in on a connection.
enum RequestPart: Sendable {
    case head(RequestHead)
    case body(ByteBuffer)
    case end
}

/// A part of a response, as it goes out on a connection.
typealias ResponsePart = HTTPPart<HTTPResponseHead, ByteBuffer>
