import HTTPTypes
import NIOHTTP1

/// Keeps web pages out: a page can make its visitor's browser send requests to addresses that only that network
/// reaches.
///
/// A page can also point a name of its own at this server's address ("DNS rebinding"); to the browser, the server then
/// belongs to that page. So `Host` must be a name that nobody else can point here. A page of another origin may not
/// change anything.
struct RequestOrigin: Sendable {
    /// Names that `Host` may have besides addresses; `nil`: any.
    private let names: Set<String>?

    /// - Parameters:
    ///   - hosts: names in lower case; `*`: any.
    ///   - machineName: the machine's own name, with or without its domain.
    init(hosts: [String], machineName: String = "") {
        if hosts.contains("*") {
            names = nil
            return
        }
        let own = Authority.name(machineName[...]) ?? "localhost"
        let short = own.prefix { $0 != "." }
        names = Set(hosts + ["localhost", own, String(short)])
    }

    /// Why a request is refused, or `nil` if it is not.
    ///
    /// - Parameter acceptsAnyHost: whether something that a web page does not have keeps it out, such as a token.
    func refusal(
        of head: RequestHead, _ target: RequestTarget, acceptsAnyHost: Bool = false
    ) -> ServerResponse? {
        let hosts = head.fields["host"]
        if hosts.count > 1 { return .closing(.badRequest, "Host is given twice") }
        if hosts.isEmpty, !head.isVersion10 { return .closing(.badRequest, "Host is missing") }
        // The target's own host takes precedence over the field (RFC 9112 §3.2.2).
        var authority: Authority?
        if let text = target.authority.map({ String($0) }) ?? hosts.first {
            authority = Authority(text)
            if authority == nil { return .closing(.badRequest, "Host is not a host and a port") }
        }
        if case .name(let name) = authority?.host, let names, !acceptsAnyHost, !names.contains(name) {
            return .problem(
                .misdirectedRequest,
                "'\(name)' is no name of this server: use its address, or name it in server.hosts"
            )
        }
        guard head.isChange, isForeign(head, to: authority) else { return nil }
        return .problem(.forbidden, "a web page of another origin may change nothing")
    }

    /// Whether a browser says that a page of another origin sends the request.
    private func isForeign(_ head: RequestHead, to authority: Authority?) -> Bool {
        let origins = head.fields["origin"]
        let isOwn = origins.allSatisfy { origin in
            guard let authority, let origin = Authority(origin: origin) else { return false }
            return origin.isSame(as: authority)
        }
        if !isOwn { return true }
        switch head.fields.first(name: "sec-fetch-site") {
        case "cross-site": return true
        // Another port or a sibling's name. With a change, a browser sends `Origin` too, which was checked above.
        case "same-site": return origins.isEmpty
        default: return false
        }
    }
}
