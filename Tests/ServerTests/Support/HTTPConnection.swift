import Foundation

/// An HTTP/1.1 client that keeps its connection, and can also send what a real client would not.
final class HTTPConnection {
    struct Response: Sendable {
        var status: Int
        /// The fields by their names in lower case.
        var fields: [String: String]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }

        func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(body))
        }
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let socket: ClientSocket
    private var received: [UInt8] = []

    init(_ endpoint: Endpoint) throws {
        socket = try ClientSocket(connectedTo: endpoint, .tcp)
    }

    /// Sends a request and waits for its response.
    func request(
        _ method: String,
        _ path: String,
        _ body: String? = nil,
        fields: [String] = []
    ) throws -> Response {
        try send(method, path, body.map { Array($0.utf8) }, fields: fields)
        return try receive(isHead: method == "HEAD")
    }

    /// Sends a request. If it has a body, its type is JSON unless the fields say otherwise.
    func send(_ method: String, _ path: String, _ body: [UInt8]? = nil, fields: [String] = []) throws {
        var head = ["\(method) \(path) HTTP/1.1", "Host: localhost"]
        if let body {
            head.append("Content-Length: \(body.count)")
            if !fields.contains(where: { $0.lowercased().hasPrefix("content-type") }) {
                head.append("Content-Type: application/json")
            }
        }
        head += fields
        try socket.send(Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    }

    /// Sends octets as they are.
    func send(raw text: String) throws {
        try socket.send(Array(text.utf8))
    }

    /// Waits for the next response.
    func receive(isHead: Bool = false) throws -> Response {
        let lines = String(decoding: try take(through: "\r\n\r\n"), as: UTF8.self)
            .split(separator: "\r\n", omittingEmptySubsequences: false)
        let status = lines[0].split(separator: " ")
        guard status.count >= 2, status[0] == "HTTP/1.1", let code = Int(status[1]) else {
            throw Failure(description: "not a status line: \(lines[0])")
        }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            fields[line[..<colon].lowercased()] = value
        }
        var response = Response(status: code, fields: fields, body: [])
        if isHead || code == 204 || code / 100 == 1 { return response }
        if fields["transfer-encoding"] == "chunked" {
            response.body = try receiveChunks()
            return response
        }
        guard let length = fields["content-length"].flatMap({ Int($0) }) else {
            throw Failure(description: "a response of unknown length: \(lines)")
        }
        response.body = try take(length)
        return response
    }

    /// Reads a body in chunks (RFC 9112 §7.1) without trailers. etcd sends long bodies so.
    private func receiveChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = String(decoding: try take(through: "\r\n").dropLast(2), as: UTF8.self)
            guard let length = Int(line, radix: 16) else { throw Failure(description: "not a chunk: \(line)") }
            body += try take(length + 2).dropLast(2)
            if length == 0 { return body }
        }
    }

    /// Whether the server closes the connection. This waits for it.
    func isClosedByServer() throws -> Bool {
        guard received.isEmpty else { return false }
        do {
            received = try socket.receive()
            return received.isEmpty
        } catch let error as SocketError where error.isTimeout {
            return false
        } catch let error as SocketError where error.code == ECONNRESET {
            return true
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while received.count < count { try more() }
        defer { received.removeFirst(count) }
        return Array(received.prefix(count))
    }

    private func take(through end: String) throws -> [UInt8] {
        let end = Array(end.utf8)
        var searched = 0
        while true {
            if let range = received[searched...].firstRange(of: end) { return try take(range.upperBound) }
            searched = max(0, received.count - end.count + 1)
            try more()
        }
    }

    private func more() throws {
        let octets = try socket.receive()
        if octets.isEmpty {
            throw Failure(description: "closed within a response; so far: \(String(decoding: received, as: UTF8.self))")
        }
        received += octets
    }
}
