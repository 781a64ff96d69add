/// How a run ended, as far as the connection goes.
enum ProbeEnd: Sendable, Equatable {
    /// The response is whole, or as much of it was read as ever is; without an exchange, the connection stands.
    case complete
    case headTooLarge
    case timedOut(isConnected: Bool)
    /// There is no connection, for this reason.
    case notConnected(String)
    /// The connection ended before the response did.
    case connectionLost
    /// The certificate is not valid, for this reason.
    case badCertificate(String)
    case handshakeFailed
    case notHTTP
    /// It could not be done here, for this reason: it says nothing about the target.
    case impossible(String)
}

/// Judges a run. Pure. The words are ours: what a target sends never gets to the registrant.
enum ProbeVerdict {
    static func result(
        of check: Check, _ end: ProbeEnd, status: Int, _ receiver: ProbeReceiver, after duration: Duration
    ) -> CheckResult {
        func result(_ outcome: CheckResult.Outcome, _ output: String) -> CheckResult {
            CheckResult(outcome: outcome, output: output, duration: duration)
        }
        switch end {
        case .complete:
            let (isSuccess, output) = judge(check.kind, status, receiver)
            return result(isSuccess ? .success : .failure, output)
        case .headTooLarge:
            return result(.failure, "a head of more than \(ProbeReceiver.maximumHeadOctets) octets")
        case .timedOut(let isConnected):
            let what = isConnected ? "answer" : "connection"
            return result(.silence, "no \(what) within \(check.timeout.configurationText)")
        case .notConnected(let reason): return result(.failure, reason)
        case .connectionLost: return result(.failure, "the connection was closed before the answer was complete")
        case .badCertificate(let reason): return result(.failure, "certificate: \(reason)")
        case .handshakeFailed: return result(.failure, "the TLS handshake failed")
        case .notHTTP: return result(.failure, "the answer is not \(check.kind.protocolName)")
        case .impossible(let reason): return result(.none, "not run: \(reason)")
        }
    }

    private static func judge(_ kind: Check.Kind, _ status: Int, _ receiver: ProbeReceiver) -> (Bool, String) {
        switch kind {
        case .http(let http):
            guard http.expect.contains(status) else { return (false, "HTTP \(status)") }
            if receiver.search?.isFound == false { return (false, "HTTP \(status), without the expected text") }
            return (true, "HTTP \(status)")
        case .tcp: return (true, "connected")
        case .tls: return (true, "TLS connected")
        case .grpc: return judgeCall(status, receiver)
        case .ttl: return (false, "")
        }
    }

    private static func judgeCall(_ status: Int, _ receiver: ProbeReceiver) -> (Bool, String) {
        guard status == 200 else { return (false, "HTTP \(status)") }
        guard let code = receiver.callStatus else { return (false, "the answer is not gRPC") }
        guard code == 0 else { return (false, "gRPC \(HealthCall.name(ofCode: code) ?? "\(code)")") }
        guard let serving = HealthCall.status(receiver.message) else {
            return (false, "the answer is not one of grpc.health.v1")
        }
        return (serving == .serving, serving.name)
    }
}

extension Check.Kind {
    fileprivate var protocolName: String {
        if case .grpc = self { "HTTP/2" } else { "HTTP/1" }
    }
}
