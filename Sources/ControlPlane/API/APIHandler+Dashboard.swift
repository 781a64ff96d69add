import Crypto
import Dashboard
import HTTPTypes
import NIOCore
import NIOHTTP1

extension APIHandler {
    /// `GET /`
    func dashboardPage(_ request: Endpoint.Request) -> ServerResponse { ServedFile.page.response(to: request) }

    /// `GET /dashboard/{file}`
    func dashboardFile(_ request: Endpoint.Request) -> ServerResponse {
        guard let file = ServedFile.parts[request.id] else {
            return .problem(.notFound, "the dashboard has no file '\(request.id)'")
        }
        return file.response(to: request)
    }
}

/// A file of the dashboard, ready to be sent.
private struct ServedFile {
    static let page = ServedFile(.page)
    /// The others by their names.
    static let parts = Dictionary(uniqueKeysWithValues: DashboardFile.parts.map { ($0.name, ServedFile($0)) })

    /// What a browser may do with the page: nothing but what this server sends, and no text becomes HTML or a script,
    /// whatever somebody registers. No other page may show it in a frame, and make people click there.
    private static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ].joined(separator: "; ")

    private let contentType: String
    private let body: ByteBuffer
    /// Names what is in it (RFC 9110 §8.8.3).
    private let entityTag: String

    private init(_ file: DashboardFile) {
        contentType = file.contentType
        body = ByteBuffer(bytes: file.octets)
        let digits = SHA256.hash(data: file.octets).prefix(12).map { octet in
            octet < 16 ? "0" + String(octet, radix: 16) : String(octet, radix: 16)
        }
        entityTag = "\"\(digits.joined())\""
    }

    /// The file, or 304 if the client has it (RFC 9110 §13.1.2). A browser asks each time, so that all files of a page
    /// are of one version.
    func response(to request: Endpoint.Request) -> ServerResponse {
        let known = request.fields[canonicalForm: "if-none-match"].map { $0.hasPrefix("W/") ? $0.dropFirst(2) : $0 }
        var response = ServerResponse(status: .notModified)
        if !known.contains(where: { $0 == entityTag || $0 == "*" }) {
            response = ServerResponse(status: .ok, contentType: contentType, body: body)
        }
        response.fields = [
            HTTPField(name: .eTag, value: entityTag), HTTPField(name: .cacheControl, value: "no-cache"),
            HTTPField(name: .contentSecurityPolicy, value: Self.contentSecurityPolicy),
        ]
        // Nobody learns from this page where it is, and no page that opened it can reach into it.
        for (name, value) in [
            ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { response.fields.append(HTTPField(name: name, value: value)) }
        }
        return response
    }
}
