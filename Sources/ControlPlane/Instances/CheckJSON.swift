extension JSONWriter {
    /// Checks as an array, as they were registered.
    mutating func checks(_ checks: [Check]) {
        beginArray()
        for check in checks {
            beginObject()
            checkMembers(check)
            endObject()
        }
        endArray()
    }

    /// The effective definition of a check, as members of the object being written. ``InstanceFields`` reads it back.
    mutating func checkMembers(_ check: Check) {
        text("name", check.name)
        text("type", check.kind.type)
        duration("interval", check.interval)
        duration("timeout", check.timeout)
        member("rise")
        integer(check.rise)
        member("fall")
        integer(check.fall)
        text("initial", check.initial.rawValue)
        if let deregisterAfter = check.deregisterAfter { duration("deregister_after", deregisterAfter) }
        switch check.kind {
        case .http(let http): members(of: http)
        case .tcp(let port): self.port(port)
        case .tls(let tls):
            verification(of: tls.serverName, tls.verify)
            port(tls.port)
        case .grpc(let grpc):
            text("service", grpc.service)
            member("tls")
            bool(grpc.usesTLS)
            if grpc.usesTLS { verification(of: grpc.serverName, grpc.verify) }
            port(grpc.port)
        case .ttl(let ttl): duration("ttl", ttl)
        }
    }

    private mutating func members(of http: HTTPCheck) {
        text("path", http.path)
        text("method", http.method.rawValue)
        if let host = http.host { text("host", host) }
        if !http.headers.isEmpty {
            member("headers")
            beginObject()
            for field in http.headers { text(field.name, field.value) }
            endObject()
        }
        text("expect", http.expect.description)
        if let body = http.body { text("body", body) }
        if http.usesTLS {
            member("verify")
            bool(http.verify)
        }
        port(http.port)
    }

    private mutating func verification(of serverName: String?, _ verify: Bool) {
        if let serverName { text("server_name", serverName) }
        member("verify")
        bool(verify)
    }

    private mutating func port(_ port: UInt16?) {
        guard let port else { return }
        member("port")
        integer(port)
    }

    private mutating func text(_ name: String, _ value: String) {
        member(name)
        string(value)
    }

    private mutating func duration(_ name: String, _ value: Duration) {
        text(name, value.configurationText)
    }
}

extension Check.Kind {
    /// `type` in the API.
    var type: String {
        switch self {
        case .http(let http): http.usesTLS ? "https" : "http"
        case .tcp: "tcp"
        case .tls: "tls"
        case .grpc: "grpc"
        case .ttl: "ttl"
        }
    }
}
