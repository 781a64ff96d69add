import Testing

/// The real program, where time decides: leases, grace times, checks, and readers that wait.
///
/// These tests run one after the other, as those of ``ServerTests`` do, and beside them and ``StorageTests``: most wait, and
/// leave the processors to others meanwhile.
@Suite(.serialized, .ownThreads)
enum TimedTests {}
