import Testing

/// The real program with the storages that outlive it.
///
/// These tests run one after the other, as those of ``ServerTests`` do, and beside them: most wait for leases, outages and
/// starts, and leave the processors to others meanwhile.
@Suite(.serialized, .ownThreads)
enum StorageTests {}
