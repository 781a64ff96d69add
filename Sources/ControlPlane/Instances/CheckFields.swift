extension InstanceFields {
    private static let maximumCheckOctets = 16 * 1024

    /// `checks`: the health checks.
    static func checks(_ value: JSONValue, _ errors: inout [FieldError]) -> [Check]? {
        guard case .array(let elements) = value else {
            errors.note(FieldError(field: "checks", message: "must be an array of objects, not \(value.kind)"))
            return nil
        }
        guard elements.count <= Check.maximumCount else {
            let message = "must not have more than \(Check.maximumCount) elements"
            errors.note(FieldError(field: "checks", message: message))
            return nil
        }
        var checks: [Check] = []
        var own: [FieldError] = []
        var names: Set<String> = []
        for (index, element) in elements.enumerated() {
            var fields = CheckFields(path: "checks[\(index)]")
            let check = fields.check(element)
            if let name = fields.name, !names.insert(name).inserted { fields.fail("name", "occurs twice") }
            for error in fields.errors { own.note(error) }
            if let check { checks.append(check) }
        }
        guard own.isEmpty else {
            for error in own { errors.note(error) }
            return nil
        }
        var writer = JSONWriter()
        writer.checks(checks)
        guard writer.octets.count <= maximumCheckOctets else {
            let message = "must not have more than \(maximumCheckOctets) octets in all, defaults included"
            errors.note(FieldError(field: "checks", message: message))
            return nil
        }
        return checks
    }
}

/// The fields of one check while they are read, and what is wrong with them.
struct CheckFields {
    private static let common: Set<String> = [
        "name", "type", "interval", "timeout", "rise", "fall", "initial", "deregister_after",
    ]
    /// What a GET shows besides; a client may send it back, and it is ignored.
    private static let readOnly: Set<String> = ["status", "since", "output", "duration_ms", "checked_at"]
    private static let ofType: [String: Set<String>] = [
        "http": ["path", "method", "host", "headers", "expect", "body", "port"],
        "https": ["path", "method", "host", "headers", "expect", "body", "verify", "port"],
        "tcp": ["port"],
        "tls": ["server_name", "verify", "port"],
        "grpc": ["service", "tls", "server_name", "verify", "port"],
        "ttl": ["ttl"],
    ]
    private static let types = ["http", "https", "tcp", "tls", "grpc", "ttl"]
    private static let known = ofType.values.reduce(into: common) { $0.formUnion($1) }

    private let path: String
    private(set) var errors: [FieldError] = []
    /// The check's name, if it is one.
    private(set) var name: String?
    private var members: [String: JSONValue] = [:]

    /// - Parameter path: of the check, for errors: `checks[1]`.
    init(path: String) {
        self.path = path
    }

    /// Notes what is wrong with a field.
    mutating func fail(_ field: String, _ message: String) {
        errors.note(FieldError(field: field.isEmpty ? path : "\(path).\(field)", message: message))
    }

    /// Reads the check; `nil` if there were errors.
    mutating func check(_ value: JSONValue) -> Check? {
        guard case .object(let all) = value else {
            fail("", "must be an object, not \(value.kind)")
            return nil
        }
        for member in all where !member.value.isNull { members[member.name] = member.value }
        let type = typeName()
        refuseOthers(all, type)
        name = checkName()
        guard let type else {
            // Also name what is wrong with the fields that every type has.
            var check = Check(name: "", kind: .tcp(port: nil))
            timing(&check)
            return nil
        }
        let kind = kind(type)
        var check = Check(name: name ?? "", kind: kind)
        timing(&check)
        return errors.isEmpty ? check : nil
    }

    private mutating func typeName() -> String? {
        guard let value = members["type"] else {
            fail("type", "is required")
            return nil
        }
        guard case .string(let type) = value, Self.types.contains(type) else {
            fail("type", "must be one of \(Self.types.map { "'\($0)'" }.joined(separator: ", "))")
            return nil
        }
        return type
    }

    /// Names the members that the check's type does not have.
    private mutating func refuseOthers(_ all: [JSONMember], _ type: String?) {
        for member in all where !Self.common.contains(member.name) && !Self.readOnly.contains(member.name) {
            if !Self.known.contains(member.name) {
                fail(member.name, "unknown field")
            } else if let type, Self.ofType[type]?.contains(member.name) == false, !member.value.isNull {
                fail(member.name, "a check of type '\(type)' does not have it")
            }
        }
    }

    private mutating func checkName() -> String? {
        guard members["name"] != nil else {
            fail("name", "is required")
            return nil
        }
        guard let text = string("name") else { return nil }
        guard text.utf8.count <= 64, InstanceFields.isID(text) else {
            fail("name", "must be 1 to 64 of the characters A-Z, a-z, 0-9, '.', '_' and '-', and not '.' or '..'")
            return nil
        }
        return text
    }

    /// The fields that every type has.
    private mutating func timing(_ check: inout Check) {
        check.interval = duration("interval", .seconds(1)...(.seconds(3600))) ?? check.interval
        if let timeout = duration("timeout", .milliseconds(1)...(.seconds(3600))) {
            check.timeout = timeout
            if timeout > check.interval {
                fail("timeout", "must not be longer than the interval, \(check.interval.configurationText)")
            }
        } else {
            check.timeout = min(Check.defaultTimeout, check.interval)
        }
        check.rise = integer("rise", 1...100) ?? check.rise
        check.fall = integer("fall", 1...100) ?? check.fall
        if let initial = string("initial") {
            switch CheckStatus(rawValue: initial) {
            case .passing?: check.initial = .passing
            case .critical?: check.initial = .critical
            default: fail("initial", "must be 'passing' or 'critical'")
            }
        }
        check.deregisterAfter = duration("deregister_after", .seconds(1)...(.seconds(30 * 86_400)))
        if let deregisterAfter = check.deregisterAfter, deregisterAfter < check.interval {
            fail("deregister_after", "must not be shorter than the interval, \(check.interval.configurationText)")
        }
    }

    private mutating func kind(_ type: String) -> Check.Kind {
        switch type {
        case "http": return .http(http(usesTLS: false))
        case "https": return .http(http(usesTLS: true))
        case "tcp": return .tcp(port: port())
        case "tls":
            return .tls(TLSCheck(serverName: serverName(), verify: bool("verify") ?? true, port: port()))
        case "grpc":
            let usesTLS = bool("tls") ?? false
            for field in ["server_name", "verify"] where !usesTLS && members[field] != nil {
                fail(field, "needs 'tls': true")
            }
            return .grpc(
                GRPCCheck(
                    service: printable("service", 0...255) ?? "", usesTLS: usesTLS,
                    serverName: serverName(), verify: bool("verify") ?? true, port: port()))
        default:
            if members["ttl"] == nil { fail("ttl", "is required") }
            return .ttl(duration("ttl", .seconds(1)...(.seconds(7 * 86_400))) ?? .seconds(1))
        }
    }
}

extension CheckFields {
    private mutating func http(usesTLS: Bool) -> HTTPCheck {
        var http = HTTPCheck(usesTLS: usesTLS)
        if let path = string("path") {
            let isTarget = path.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
            if !isTarget || !path.hasPrefix("/") || path.utf8.count > 2048 {
                fail("path", "must begin with '/' and be at most 2048 printable ASCII characters without ' ' and '#'")
            }
            http.path = path
        }
        if let method = string("method") {
            if let method = HTTPCheck.Method(rawValue: method) {
                http.method = method
            } else {
                fail("method", "must be 'GET' or 'HEAD'")
            }
        }
        if let host = string("host") {
            if Authority(host) == nil { fail("host", "must be a host name or an address, with an optional port") }
            http.host = host
        }
        http.headers = headers() ?? []
        http.expect = expect() ?? .successful
        http.body = text("body", 1...4096)
        if http.body != nil, http.method == .head { fail("body", "a response to HEAD has none") }
        http.verify = bool("verify") ?? true
        http.port = port()
        return http
    }

    private mutating func expect() -> ExpectedStatuses? {
        let statuses: ExpectedStatuses? =
            switch members["expect"] {
            case nil: .successful
            case .string(let text)?: ExpectedStatuses(text)
            case .integer(let status)?: ExpectedStatuses("\(status)")
            default: nil
            }
        if statuses == nil { fail("expect", "must be statuses from 100 to 599, such as '200-299' or '200,204'") }
        return statuses
    }

    /// Fields that frame a message or belong to its connection: the server sets them, or does without.
    private static let framingFields: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "expect", "upgrade", "te", "trailer",
        "http2-settings",
    ]
    private static let maximumHeaders = 16
    private static let maximumHeaderOctets = 4096

    private mutating func headers() -> [HTTPCheck.Field]? {
        guard let value = members["headers"] else { return nil }
        guard case .object(let fields) = value else {
            fail("headers", "must be an object of strings, not \(value.kind)")
            return nil
        }
        guard fields.count <= Self.maximumHeaders else {
            fail("headers", "must not have more than \(Self.maximumHeaders) fields")
            return nil
        }
        var headers: [HTTPCheck.Field] = []
        var names: Set<String> = []
        for field in fields {
            let path = "headers.\(field.name)"
            let name = field.name.lowercased()
            guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(Self.isTokenOctet) else {
                fail(path, "must have a name of 1 to 64 letters, digits and !#$%&'*+-.^_`|~")
                continue
            }
            if Self.framingFields.contains(name) || name.hasPrefix("proxy-") {
                fail(path, name == "host" ? "is the field 'host' of the check" : "can't be set")
                continue
            }
            guard case .string(let text) = field.value else {
                fail(path, "must be a string, not \(field.value.kind)")
                continue
            }
            if !text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) || text.first == " " || text.last == " " {
                fail(path, "must be printable ASCII without blanks around it")
            }
            if !names.insert(name).inserted { fail(path, "occurs twice") }
            headers.append(HTTPCheck.Field(name: field.name, value: text))
        }
        if headers.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count }) > Self.maximumHeaderOctets {
            fail("headers", "must not have more than \(Self.maximumHeaderOctets) octets in all")
        }
        return headers
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(octet)
        }
    }

    private mutating func serverName() -> String? {
        guard let text = string("server_name") else { return nil }
        guard let authority = Authority(text.contains(":") ? "[\(text)]" : text), authority.port == nil else {
            fail("server_name", "must be a host name or an address")
            return nil
        }
        return text
    }

    private mutating func port() -> UInt16? { integer("port", 1...65535) }

    private mutating func integer<Number: BinaryInteger>(_ field: String, _ range: ClosedRange<Number>) -> Number? {
        members[field].flatMap { InstanceFields.integer($0, "\(path).\(field)", range, &errors) }
    }

    /// Text such as `500ms` or `2m`, or a number of seconds.
    private mutating func duration(_ field: String, _ range: ClosedRange<Duration>) -> Duration? {
        let duration: Duration?
        switch members[field] {
        case nil: return nil
        case .string(let text)?: duration = Duration(configurationText: text)
        case .integer(let seconds)?: duration = .seconds(min(max(seconds, -1), Int(Int32.max)))
        default: duration = nil
        }
        guard let duration, range.contains(duration) else {
            let bounds = "\(range.lowerBound.configurationText) to \(range.upperBound.configurationText)"
            fail(field, "must be a duration from \(bounds), such as '500ms', '10s' or '2m'")
            return nil
        }
        return duration
    }

    private mutating func bool(_ field: String) -> Bool? {
        guard let value = members[field] else { return nil }
        if case .bool(let bool) = value { return bool }
        fail(field, "must be true or false, not \(value.kind)")
        return nil
    }

    private mutating func string(_ field: String) -> String? {
        guard let value = members[field] else { return nil }
        if case .string(let text) = value { return text }
        fail(field, "must be a string, not \(value.kind)")
        return nil
    }

    private mutating func text(_ field: String, _ octets: ClosedRange<Int>) -> String? {
        guard let text = string(field) else { return nil }
        if octets.contains(text.utf8.count) { return text }
        fail(field, "must have \(octets.lowerBound) to \(octets.upperBound) octets")
        return nil
    }

    private mutating func printable(_ field: String, _ octets: ClosedRange<Int>) -> String? {
        guard let text = text(field, octets) else { return nil }
        if text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) { return text }
        fail(field, "must be printable ASCII without spaces")
        return nil
    }
}
