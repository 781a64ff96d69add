import CCurl
import Synchronization

/// A thread for libcurl: the client's, and that of health checks.
final class HTTPClientThread: Sendable {
    private let thread: pthread_t
    private let isJoined = Mutex(false)

    /// Starts the thread.
    ///
    /// - Parameter name: at most 15 octets (pthread_setname_np(3)).
    /// - Throws: if the system is out of threads.
    init(named name: String = "http-client", _ body: @escaping @Sendable () -> Void) throws(HTTPClientError) {
        // Unsafe: the thread takes over the reference; if it can't be started, the reference is released here.
        let context = unsafe Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
        var thread = pthread_t()
        guard unsafe pthread_create(&thread, nil, runBody, context) == 0 else {
            unsafe Unmanaged<Start>.fromOpaque(context).release()
            throw HTTPClientError(kind: .other, reason: "no threads left", mayHaveBeenSent: false)
        }
        self.thread = thread
    }

    deinit {
        // The thread itself dropped the last reference, in a callback: it ends without being joined.
        if !isJoined.withLock({ $0 }) { pthread_detach(thread) }
    }

    /// Waits until the thread has ended, unless called on it.
    func join() {
        // Check before locking: another thread may hold the lock while it waits for this one.
        if pthread_equal(pthread_self(), thread) != 0 { return }
        isJoined.withLock { isJoined in
            if isJoined { return }
            _ = pthread_join(thread, nil)
            isJoined = true
        }
    }

    fileprivate final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}

@c private func runBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    let start = unsafe Unmanaged<HTTPClientThread.Start>.fromOpaque(context).takeRetainedValue()
    _ = unsafe pthread_setname_np(pthread_self(), start.name)
    // libcurl is told to leave signals alone, but OpenSSL may write to a closed connection.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    start.body()
    return nil
}
