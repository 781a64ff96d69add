/// Everything that is counted, one row each: status, metrics and the API's description follow from it.
public enum Counter: Int, CaseIterable, Sendable {
    case udpQueries, tcpQueries, dropped, truncated, answered, noData, nameErrors, serverFailures, refused,
        formatErrors, notImplemented, badVersions, sendErrors, connectionsAccepted, connectionsEvicted, connectionsOpen,
        limitedRecords, limitedNoData, limitedNameErrors, limitedErrors, limitedOutside, limitedTruncated
    case cacheEntries, cacheBytes, cacheHits, cacheMisses, prefetches, cacheEvictions
    case coalesced, staleAnswers, cachedFailures, overLimit, upstreamUDPQueries, upstreamTCPQueries, hedges, retries,
        wrongAnswers, timeouts, failures, overNetworkLimit, gaveWay, withheldHedges, inFlight

    /// The group that a counter belongs to.
    public enum Group: String, CaseIterable, Sendable {
        case dns, cache, forwarding
    }

    /// The description of a counter.
    public struct Description: Sendable {
        /// Its group.
        public let group: Group
        /// Its name within its group.
        public let name: String
        /// Whether it is a present amount rather than a count since the start.
        public let isGauge: Bool
        /// What it counts, in one sentence.
        public let help: String

        init(_ group: Group, _ name: String, isGauge: Bool = false, _ help: String) {
            self.group = group
            self.name = name
            self.isGauge = isGauge
            self.help = help
        }
    }

    /// Its description.
    public var description: Description {
        switch self {
        case .udpQueries: Description(.dns, "udp_queries", "Queries that arrived over UDP.")
        case .tcpQueries: Description(.dns, "tcp_queries", "Queries that arrived over TCP.")
        case .dropped:
            Description(
                .dns, "dropped",
                "Messages dropped without an answer: no header, a response, from port 0 or from this server.")
        case .truncated: Description(.dns, "truncated", "Answers sent with TC.")
        case .answered: Description(.dns, "answered", "Answers NOERROR with records.")
        case .noData: Description(.dns, "nodata", "Answers NOERROR without a record of the type that was asked for.")
        case .nameErrors: Description(.dns, "nxdomain", "Answers NXDOMAIN.")
        case .serverFailures: Description(.dns, "servfail", "Answers SERVFAIL.")
        case .refused: Description(.dns, "refused", "Answers REFUSED.")
        case .formatErrors: Description(.dns, "formerr", "Answers FORMERR.")
        case .notImplemented: Description(.dns, "notimp", "Answers NOTIMP.")
        case .badVersions: Description(.dns, "badvers", "Answers BADVERS.")
        case .sendErrors: Description(.dns, "send_errors", "Answers over UDP that the system did not take.")
        case .connectionsAccepted: Description(.dns, "connections_accepted", "TCP connections accepted.")
        case .connectionsEvicted:
            Description(
                .dns, "connections_evicted",
                "TCP connections closed because a limit was reached.")
        case .connectionsOpen: Description(.dns, "connections_open", isGauge: true, "TCP connections open now.")
        case .limitedRecords:
            Description(.dns, "rate_limited_records", "Answers with records above dns.rate_limit.")
        case .limitedNoData:
            Description(.dns, "rate_limited_nodata", "Answers NOERROR without records above dns.rate_limit.")
        case .limitedNameErrors:
            Description(.dns, "rate_limited_nxdomain", "Answers NXDOMAIN above dns.rate_limit.")
        case .limitedErrors: Description(.dns, "rate_limited_errors", "Other errors above dns.rate_limit.")
        case .limitedOutside:
            Description(.dns, "rate_limited_outside", "Answers for names outside above dns.rate_limit.")
        case .limitedTruncated:
            Description(
                .dns, "rate_limited_truncated",
                "Answers above dns.rate_limit that were sent with TC; the others were dropped.")
        case .cacheEntries: Description(.cache, "entries", isGauge: true, "Upstreams' answers kept now.")
        case .cacheBytes: Description(.cache, "bytes", isGauge: true, "Octets of memory that they take.")
        case .cacheHits: Description(.cache, "hits", "Queries answered from the cache.")
        case .cacheMisses: Description(.cache, "misses", "Queries that the cache had no fresh answer to.")
        case .prefetches: Description(.cache, "prefetches", "Answers asked for again before they expired.")
        case .cacheEvictions: Description(.cache, "evictions", "Answers that had to make room for others.")
        case .coalesced:
            Description(
                .forwarding, "coalesced",
                "Misses that joined an earlier one that was under way.")
        case .staleAnswers:
            Description(
                .forwarding, "stale_answers",
                "Queries answered with an answer that had expired (RFC 8767).")
        case .cachedFailures:
            Description(
                .forwarding, "cached_failures",
                "Queries answered SERVFAIL because the same one had failed shortly before (RFC 9520).")
        case .overLimit:
            Description(
                .forwarding, "over_limit",
                "Queries answered SERVFAIL because too many were under way.")
        case .upstreamUDPQueries: Description(.forwarding, "udp_queries", "Queries sent to upstreams over UDP.")
        case .upstreamTCPQueries: Description(.forwarding, "tcp_queries", "Queries sent to upstreams over TCP.")
        case .hedges:
            Description(
                .forwarding, "hedges",
                "Second and further attempts because an earlier one took longer than usual.")
        case .retries:
            Description(
                .forwarding, "retries",
                "Second and further attempts because an earlier one had failed.")
        case .wrongAnswers:
            Description(
                .forwarding, "wrong_answers",
                "What came from an upstream's address and was no answer to what was asked.")
        case .timeouts: Description(.forwarding, "timeouts", "Misses that no upstream had answered in time.")
        case .failures: Description(.forwarding, "failures", "Misses that ended in SERVFAIL.")
        case .overNetworkLimit:
            Description(
                .forwarding, "over_network_limit",
                "Misses whose client's network had a quarter of dns.upstream.max_inflight under way.")
        case .gaveWay:
            Description(
                .forwarding, "gave_way",
                "Misses that took longer than usual and gave way to a newer one, at a limit.")
        case .withheldHedges:
            Description(
                .forwarding, "hedges_withheld",
                "Further attempts that were not made because more than half of max_inflight were under way.")
        case .inFlight: Description(.forwarding, "in_flight", isGauge: true, "Misses under way now.")
        }
    }
}
