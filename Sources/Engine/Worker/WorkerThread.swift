import CEvent

/// A thread that runs a worker.
struct WorkerThread: Sendable {
    /// Other threads of the process, such as the one of the health checks, may work for milliseconds at a stretch. On a
    /// core that both use, a query would wait as long.
    fileprivate static let turnNanoseconds: UInt64 = 200_000

    private let thread: pthread_t

    /// Starts the thread, named `dns-<index>`.
    ///
    /// - Throws: ``EngineError/resourceExhausted(_:)`` if the system is out of threads.
    init(_ worker: Worker, index: Int) throws(EngineError) {
        let start = Start(worker: worker, name: "dns-\(index)")
        // Unsafe: the thread takes over the reference; if it can't be started, the reference is released here.
        let context = unsafe Unmanaged.passRetained(start).toOpaque()
        var thread = pthread_t()
        guard unsafe pthread_create(&thread, nil, runWorker, context) == 0 else {
            unsafe Unmanaged<Start>.fromOpaque(context).release()
            throw .resourceExhausted("threads")
        }
        self.thread = thread
    }

    /// Waits until the worker has finished. Call it only once.
    func join() {
        // Unsafe: the thread exists until it is joined.
        _ = pthread_join(thread, nil)
    }

    fileprivate final class Start: Sendable {
        let worker: Worker
        let name: String

        init(worker: Worker, name: String) {
            self.worker = worker
            self.name = name
        }
    }
}

@c private func runWorker(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    let start = unsafe Unmanaged<WorkerThread.Start>.fromOpaque(context).takeRetainedValue()
    _ = unsafe pthread_setname_np(pthread_self(), start.name)
    shorten_turns(WorkerThread.turnNanoseconds)
    // libevent may write to connections that clients have closed: that must be an error, not the end of the process.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    _ = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    start.worker.run()
    return nil
}
