/// A request to send.
struct HTTPClientRequest: Sendable {
    /// The methods that the client knows.
    enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"

        /// Whether a request has a body, even an empty one.
        var hasBody: Bool { self == .post || self == .put || self == .patch }
        /// Whether a request may be sent twice without doing anything twice.
        var isSafe: Bool { self == .get || self == .head }
    }

    /// A header field.
    struct Field: Sendable, Equatable {
        var name: String
        var value: String
    }

    var method = Method.post
    /// `http://` or `https://`, without a user.
    var url: String
    /// Header fields besides those that the client sets itself, such as Host and Content-Length.
    var fields: [Field] = []
    /// The body; only POST, PUT and PATCH send it.
    var body: [UInt8] = []
    /// A body that is read while it is sent, instead of ``body``.
    var upload: HTTPClientUpload?
    /// Names of the response's fields that are wanted.
    var wantedFields: [String] = []
    /// The limit for everything, including the wait for a connection; `nil`: no limit, for streams.
    var timeout: Duration? = .seconds(5)
    /// How long nothing may be sent or received, in whole seconds; `nil`: no limit.
    var silenceTimeout: Duration?
    /// The limit for name resolution, TCP and TLS together.
    var connectTimeout: Duration = .seconds(2)
    /// The most octets of a response's body. The pieces of a stream are not counted.
    var maximumBodyOctets = 4 << 20

    /// Scheme, host and port as written; connection limits are counted by it.
    var origin: String {
        let authority = url.drop { $0 != "/" }.dropFirst(2)
        return url[..<(authority.firstIndex { "/?#".contains($0) } ?? url.endIndex)].lowercased()
    }

    /// Why the request can't be sent, or `nil` if it can. Names no values, since they may be secret.
    var problem: String? {
        let scheme = ["http://", "https://"].first { url.lowercased().hasPrefix($0) }
        guard let scheme, origin.utf8.count > scheme.utf8.count else { return "not an http or https URL" }
        // libcurl would take the text before it for a user and password.
        if origin.contains("@") { return "a user in the URL" }
        if !url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) { return "a URL with blanks or control characters" }
        if !method.hasBody, !body.isEmpty || upload != nil { return "a body without POST, PUT or PATCH" }
        return fields.lazy.compactMap(\.problem).first
    }
}

extension HTTPClientRequest.Field {
    /// Fields that say where the message ends. Only libcurl may set them, or the server could see another end.
    private static let framing: Set<String> = ["content-length", "transfer-encoding", "connection", "expect"]

    /// The line in libcurl's form: it drops a field without a value unless a semicolon follows the name.
    var line: String { value.isEmpty ? "\(name);" : "\(name): \(value)" }

    /// What is wrong with the field, or `nil`. The name must be a token (RFC 9110 §5.6.2), and the value must have no
    /// control characters, which could begin another field.
    fileprivate var problem: String? {
        let isToken = name.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(octet)
            }
        }
        if name.isEmpty || !isToken { return "a field whose name is not a token" }
        if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "control characters in field \(name)" }
        if value.first == " " || value.last == " " { return "blanks around the value of field \(name)" }
        return Self.framing.contains(name.lowercased()) ? "field \(name), which is the client's own" : nil
    }
}
