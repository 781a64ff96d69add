import Glibc

/// An HTTP/2 server without TLS for one call (RFC 9113): it answers the first request with one message and a gRPC status.
enum HTTP2Target {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private enum Kind { static let (data, headers, settings) = (UInt8(0), UInt8(1), UInt8(4)) }

    /// - Returns: the data that the client sent.
    static func serve(_ connection: ServerConnection, message: [UInt8], status: String) -> [UInt8] {
        guard connection.take(preface.count) == preface else { return [] }
        connection.write(frame(Kind.settings, 0, 0, []))
        var data: [UInt8] = []
        while let head = connection.take(9) {
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard let payload = length == 0 ? [] : connection.take(length) else { return data }
            let (kind, flags) = (head[3], head[4])
            if kind == Kind.settings, flags & 1 == 0 { connection.write(frame(Kind.settings, 1, 0, [])) }
            guard kind == Kind.data else { continue }
            data += payload
            // END_STREAM.
            guard flags & 1 == 1 else { continue }
            let fields = field(":status", "200") + field("content-type", "application/grpc")
            let trailers = status.isEmpty ? [] : field("grpc-status", status) + field("grpc-message", "secret")
            if message.isEmpty {
                connection.write(frame(Kind.headers, 5, 1, fields + trailers))
            } else {
                connection.write(frame(Kind.headers, 4, 1, fields))
                connection.write(frame(Kind.data, trailers.isEmpty ? 1 : 0, 1, message))
                if !trailers.isEmpty { connection.write(frame(Kind.headers, 5, 1, trailers)) }
            }
        }
        return data
    }

    private static func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255), kind, flags, 0, 0, 0]
            + [stream] + payload
    }

    /// A literal field that is not indexed (RFC 7541 §6.2.2).
    private static func field(_ name: String, _ value: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }
}
