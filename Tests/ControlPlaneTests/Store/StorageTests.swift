import Testing

/// What runs over every storage, a real etcd too.
///
/// `make test` runs these apart from the tests that need only the processor: thousands of those start at once, and each
/// step of a client of etcd would wait behind them all until its lease has ended.
@Suite enum StorageTests {}
