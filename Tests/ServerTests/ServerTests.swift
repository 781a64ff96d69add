import Testing

/// The real program, over real sockets.
///
/// The tests run one after the other, because each starts servers of its own, and several load the machine.
@Suite(.serialized, .ownThreads)
enum ServerTests {}
