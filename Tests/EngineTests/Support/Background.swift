import Glibc
import Synchronization

/// A thread that runs `body` repeatedly until its owner is gone.
final class Background: Sendable {
    private let stopping = Atomic<Bool>(false)
    private let thread: Mutex<pthread_t?> = Mutex(nil)
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) throws {
        self.body = body
        var thread = pthread_t()
        // Unsafe: this object outlives the thread, which deinit waits for.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let result = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let owner = unsafe Unmanaged<Background>.fromOpaque(context)
                unsafe owner._withUnsafeGuaranteedRef { $0.run() }
                return nil
            }, context)
        guard result == 0 else { throw TestFailure("no thread") }
        self.thread.withLock { $0 = thread }
    }

    private func run() {
        while !stopping.load(ordering: .relaxed) { body() }
    }

    func stop() {
        stopping.store(true, ordering: .relaxed)
        thread.withLock { thread in
            if let running = thread { _ = pthread_join(running, nil) }
            thread = nil
        }
    }

    deinit {
        stop()
    }
}
