import Engine
import HTTPTypes

extension APIHandler {
    /// `GET /api/v1/queries`
    func queries(_ target: RequestTarget) async -> ServerResponse {
        let limit: Int
        do throws(InvalidFields) {
            limit = try QueriesQuery(target).limit
        } catch {
            return .invalid(error)
        }
        guard let dns else { return .busy("DNS does not answer yet") }
        // Copying what each of many workers has takes milliseconds.
        let response = await largeAnswers.run {
            let now = time.now().wall
            return ServerResponse.json(capacity: 1024 + limit * 256) {
                $0.queries(dns.queryStatistics(), limit: limit, now: now)
            }
        }
        return response ?? .busy("too many long answers are asked for at once")
    }
}

extension JSONWriter {
    /// What clients have asked.
    fileprivate mutating func queries(_ statistics: QueryStatistics, limit: Int, now: WallTime) {
        func time(before age: Duration) -> WallTime { now.advanced(byMilliseconds: -age.milliseconds) }
        beginObject()
        member("since")
        self.time(time(before: statistics.age))
        member("queries")
        integer(statistics.queries)
        member("sampled")
        integer(statistics.samples)
        member("sampling_rate")
        decimal(
            statistics.queries == 0 ? 1 : min(1, Double(statistics.samples) / Double(statistics.queries)), places: 6)
        member("names")
        beginArray()
        for name in statistics.names(limit: limit) {
            beginObject()
            member("name")
            string(PresentationForm.name(name.name))
            member("queries")
            integer(name.queries)
            member("types")
            beginObject()
            for (type, queries) in name.types {
                member(any: PresentationForm.type(type))
                integer(queries)
            }
            endObject()
            endObject()
        }
        endArray()
        for (code, title) in [
            (FailedQuery.Code.nameError, "nxdomain"), (.serverFailure, "servfail"), (.refused, "refused"),
        ] {
            member(title)
            beginArray()
            for failure in statistics.failures.lazy.filter({ $0.code == code }).prefix(limit) {
                beginObject()
                member("time")
                self.time(time(before: failure.age))
                member("name")
                string(PresentationForm.name(failure.name))
                member("type")
                string(PresentationForm.type(failure.type))
                member("client")
                if let client = failure.client { string("\(client)") } else { null() }
                member("count")
                integer(failure.count)
                endObject()
            }
            endArray()
        }
        member("skipped_failures")
        integer(statistics.skippedFailures)
        endObject()
    }
}
