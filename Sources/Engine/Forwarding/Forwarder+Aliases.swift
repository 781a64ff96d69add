/// Aliases that an upstream has left open: their CNAME records without those of the name that they lead to.
struct OpenAliases {
    /// The answer so far.
    var content: AnswerContent
    /// What is asked for now.
    var next: CacheKey
}

extension Forwarder {
    /// Keeps an answer for its aliases; from now on what they lead to is asked for.
    func follow(_ content: AnswerContent, for query: PendingQuery, now: MonotonicTime) {
        query.stopAll(now: now)
        guard case .outside(let name) = content.continuation else { return }
        let next = CacheKey(name: name.rawSpan, type: query.key.type, variant: query.key.variant)
        aliases[query.key] = OpenAliases(content: content, next: next)
    }

    /// What upstreams are asked for a question: its name, or the one that its aliases lead to.
    func currentKey(of query: PendingQuery) -> CacheKey {
        query.resolution.hopCount == 0 ? query.key : aliases[query.key]?.next ?? query.key
    }

    /// What an upstream has answered about the name that aliases lead to, behind these aliases.
    func joined(_ response: UpstreamResponse, for query: PendingQuery) -> UpstreamResponse {
        // Nobody waits for it any longer if there are none.
        guard case .answer(let content) = response, let aliases = aliases[query.key] else { return response }
        let whole = AnswerReader.join(aliases.content, query.key, content, aliases.next, own: forwarding.own)
        return whole.map(UpstreamResponse.answer) ?? .failure
    }
}
