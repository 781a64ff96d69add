/// Aliases that an upstream has left open: it sent their CNAME records, but not the records of the name that they lead
/// to.
struct OpenAliases {
    /// The answer so far.
    var content: AnswerContent
    /// The question that is asked now.
    var next: CacheKey
}

extension Forwarder {
    /// Keeps an answer for its aliases; from now on the name that they lead to is asked for.
    func follow(_ content: AnswerContent, for query: PendingQuery, now: MonotonicTime) {
        query.stopAll(now: now)
        guard case .outside(let name) = content.continuation else { return }
        let next = CacheKey(name: name.rawSpan, type: query.key.type, variant: query.key.variant)
        aliases[query.key] = OpenAliases(content: content, next: next)
    }

    /// The question that upstreams are asked: the client's own, or that for the name which its aliases lead to.
    func currentKey(of query: PendingQuery) -> CacheKey {
        query.resolution.hopCount == 0 ? query.key : aliases[query.key]?.next ?? query.key
    }

    /// Puts the aliases in front of an upstream's answer about the name that they lead to.
    func joined(_ response: UpstreamResponse, for query: PendingQuery) -> UpstreamResponse {
        // Without aliases, nobody waits for the answer any longer.
        guard case .answer(let content) = response, let aliases = aliases[query.key] else { return response }
        let whole = AnswerReader.join(
            aliases.content, to: query.key, with: content, to: aliases.next, own: forwarding.own)
        return whole.map(UpstreamResponse.answer) ?? .failure
    }
}
