/// What became of the queries that were chosen for the query log.
struct QueryLogFigures: Sendable, Equatable {
    var written: UInt64 = 0
    /// Those that came faster than they were written, or could not be written.
    var dropped: UInt64 = 0
}
