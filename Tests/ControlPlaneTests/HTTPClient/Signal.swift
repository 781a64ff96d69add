import Synchronization

/// An event that tasks wait for.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    /// Signals that it has happened.
    func send() {
        continuation.yield()
    }

    /// Waits until it has happened this many times.
    func wait(times: Int = 1) async {
        var left = times
        if left == 0 { return }
        for await _ in stream {
            left -= 1
            if left == 0 { return }
        }
    }
}

/// A value that a thread leaves for a test.
final class Note<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) {
        mutex = Mutex(value)
    }

    var value: Value { mutex.withLock { $0 } }

    func change(_ body: @Sendable (inout Value) -> Void) {
        mutex.withLock { value in body(&value) }
    }
}
