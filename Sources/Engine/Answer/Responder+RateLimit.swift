/// Responses above the limit, see ``ResponseRateLimit``.
extension Responder {
    /// Decides about a response, before anything of it is written: a dropped one does not move the rotation.
    @inline(__always)
    func verdict(
        on outcome: Outcome, of query: Query, from client: IPAddress?, _ limiter: ResponseRateLimit.View,
        now: MonotonicTime
    ) -> ResponseRateLimit.Verdict {
        guard let client else { return .send }
        let (kind, hash) = equality(of: outcome, query)
        return limiter.check(client, kind, hash, now: now)
    }

    /// What makes a response equal to others.
    @inline(__always)
    private func equality(of outcome: Outcome, _ query: Query) -> (ResponseRateLimit.Kind, UInt64) {
        // Names have a keyed hash. Names of no zone have the number of none.
        let zone = UInt64(query.position == nil ? 0xFFFF : query.zone)
        switch outcome {
        case .records, .record, .address:
            return (.records, query.hash ^ (zone << 16 | UInt64(query.question?.type.rawValue ?? 0)))
        case .noData: return (.noData, query.hash ^ zone << 16)
        case .nameError: return (.nameError, zone)
        case .noInstance, .error, .refused, .unknownKey: return (.error, 0)
        case .outside: return (.outside, query.hash)
        }
    }

    /// Drops a response above the limit, or writes it with TC.
    @inline(never)
    func limit(
        _ outcome: Outcome, _ verdict: ResponseRateLimit.Verdict, to message: RawSpan, from client: IPAddress?,
        frame: ReplyFrame, into reply: inout OutputRawSpan
    ) -> Disposition {
        if let client { rateLimit?.limited.note(client) }
        switch outcome {
        case .records, .record, .address: counters.count(.limitedRecords)
        case .noData: counters.count(.limitedNoData)
        case .nameError: counters.count(.limitedNameErrors)
        case .noInstance, .error, .refused, .unknownKey: counters.count(.limitedErrors)
        case .outside: counters.count(.limitedOutside)
        }
        guard verdict == .truncate else { return .silence }
        counters.count(.limitedTruncated)
        writeTruncated(ResponseCode.noError, to: message, frame: frame, into: &reply)
        return .reply
    }
}
