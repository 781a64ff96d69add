import Testing

/// The real program, over real sockets.
///
/// One test after the other: each starts servers of its own, and several load the machine.
@Suite(.serialized, .ownThreads)
enum ServerTests {}
