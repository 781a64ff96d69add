import HTTPTypes

extension ServerResponse {
    private static let realm = "kong-discovery"

    /// 401, 403 or 400 for a request that is not admitted (RFC 6750 §3).
    static func refused(_ refusal: AccessRefusal) -> ServerResponse {
        switch refusal {
        case .noToken:
            challenge(.unauthorized, "a bearer token is needed: Authorization: Bearer …")
        case .unknownToken:
            challenge(.unauthorized, "this token is unknown", error: "invalid_token", "the token is unknown")
        case .malformed(let reason):
            challenge(.badRequest, reason, error: "invalid_request", reason)
        case .role(let role, let token):
            challenge(
                .forbidden, "the token '\(token)' has not the role \(role.rawValue), which this needs",
                error: "insufficient_scope", "the role \(role.rawValue) is needed", scope: role.rawValue)
        }
    }

    /// 403 for a change that is not allowed.
    ///
    /// - Parameter prefix: what the detail begins with.
    static func denied(_ denial: Denial, to requester: Requester, _ prefix: String = "") -> ServerResponse {
        challenge(
            .forbidden, prefix + denial.message(to: requester), error: "insufficient_scope",
            "the token does not allow this")
    }

    /// 429 for a request above `server.rate_limit` (RFC 6585 §4).
    static func tooMany(_ kind: RequestLimiter.Kind, perSecond: Int, wait: Duration) -> ServerResponse {
        // Whole seconds, of which the field has at least one (RFC 9110 §10.2.3).
        let seconds = max(1, (wait.milliseconds + 999) / 1000)
        return problem(
            .tooManyRequests,
            "this address may make \(perSecond) \(kind.rawValue) a second (server.rate_limit.requests_per_second)",
            fields: [HTTPField(name: .retryAfter, value: "\(seconds)")])
    }

    private static func challenge(
        _ status: HTTPResponse.Status, _ detail: String, error: String? = nil, _ description: String = "",
        scope: String? = nil
    ) -> ServerResponse {
        var value = "Bearer realm=\"\(realm)\""
        if let error { value += ", error=\"\(error)\", error_description=\"\(description)\"" }
        if let scope { value += ", scope=\"\(scope)\"" }
        return problem(status, detail, fields: [HTTPField(name: .wwwAuthenticate, value: value)])
    }
}

extension Denial {
    /// What is missing, for the one who asks.
    func message(to requester: Requester) -> String {
        let token = "the token '\(requester.token?.name ?? "")'"
        return switch self {
        case .service(let name): "\(token) may not change the service '\(name)'"
        case .policyBounds(let name):
            "\(token) may not change max_weight and min_priority of '\(name)': only an admin may"
        }
    }

    /// The same as an error of a field.
    func error(to requester: Requester) -> FieldError {
        FieldError(field: "name", message: message(to: requester))
    }
}
