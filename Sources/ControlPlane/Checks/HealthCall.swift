/// The messages of `grpc.health.v1.Health/Check`, in gRPC's frames (protobuf.dev, "Encoding").
///
/// A frame is an octet (1: compressed), the length in four octets, and the message. The request has one field, the name
/// of the service; the response has one too, the status.
enum HealthCall {
    static let path = "/grpc.health.v1.Health/Check"
    /// A response beyond this is none.
    static let maximumOctets = 1024

    /// `ServingStatus` of the response.
    enum Status: UInt64, Sendable {
        case unknown = 0
        case serving = 1
        case notServing = 2
        case serviceUnknown = 3

        var name: String {
            switch self {
            case .unknown: "UNKNOWN"
            case .serving: "SERVING"
            case .notServing: "NOT_SERVING"
            case .serviceUnknown: "SERVICE_UNKNOWN"
            }
        }
    }

    /// The request's frame.
    ///
    /// - Parameter service: at most 255 octets; empty: the whole server.
    static func request(_ service: String) -> [UInt8] {
        var message: [UInt8] = []
        if !service.isEmpty {
            // Field 1, of variable length.
            message.append(1 << 3 | 2)
            var length = service.utf8.count
            while length > 127 {
                message.append(UInt8(length & 127 | 128))
                length >>= 7
            }
            message.append(UInt8(length))
            message += service.utf8
        }
        return [0, 0, 0, UInt8(message.count >> 8), UInt8(message.count & 255)] + message
    }

    /// The status in the response's frame; `nil`: it is not such a frame. Fields of a later version are skipped.
    static func status(_ frame: [UInt8]) -> Status? {
        guard frame.count >= 5, frame[0] == 0 else { return nil }
        let length = frame[1...4].reduce(0) { $0 << 8 | Int($1) }
        guard length == frame.count - 5 else { return nil }
        var rest = frame[5...]
        // A field that is left out has its default.
        var status: UInt64 = 0
        while !rest.isEmpty {
            guard let key = number(&rest) else { return nil }
            switch key & 7 {
            case 0:
                guard let value = number(&rest) else { return nil }
                if key >> 3 == 1 { status = value }
            case 1: guard skip(8, &rest) else { return nil }
            case 2: guard let count = number(&rest), skip(count, &rest) else { return nil }
            case 5: guard skip(4, &rest) else { return nil }
            default: return nil
            }
        }
        return Status(rawValue: status) ?? .unknown
    }

    private static func skip(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard count <= UInt64(rest.count) else { return false }
        rest = rest.dropFirst(Int(count))
        return true
    }

    /// A number in pieces of seven bits, the lowest first.
    private static func number(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let octet = rest.popFirst() else { return nil }
            number |= UInt64(octet & 127) << shift
            if octet < 128 { return number }
        }
        return nil
    }

    /// The name of a gRPC status code (grpc.io, "Status codes").
    static func name(ofCode code: Int) -> String? {
        let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
            "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
        ]
        return names.indices.contains(code) ? names[code] : nil
    }
}
