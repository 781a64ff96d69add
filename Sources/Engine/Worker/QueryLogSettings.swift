/// Which of a worker's queries go into the query log, and where to.
struct QueryLogSettings: Sendable {
    /// `nil`: none.
    var interval: SampleInterval?
    var ring: QueryRing
}

/// The places in a batch of the queries that something is noted of, one bit each.
struct SampledPlaces {
    /// Those that go into the histograms.
    var timed: UInt64 = 0
    /// Those that go into the query log.
    var logged: UInt64 = 0

    var isEmpty: Bool {
        @inline(__always) get { timed | logged == 0 }
    }

    /// What is noted of the query at a place.
    ///
    /// - Parameters:
    ///   - arrival: when it was received.
    ///   - byteCount: its octets.
    func sample(at place: Int, arrival: MonotonicTime, byteCount: Int) -> QuerySample {
        QuerySample(
            arrival: arrival, byteCount: byteCount, isTimed: timed >> UInt64(place) & 1 != 0,
            isLogged: logged >> UInt64(place) & 1 != 0)
    }
}
