import CCurl

/// A curl multi handle over epoll(7): what a turn costs depends on what happens in it, not on how many runs are under
/// way. It is made on one thread, and then used by the checker's alone.
///
/// Unsafe: owns the handle and the descriptor, and keeps every added easy handle until it is removed.
@safe
final class ProbeMulti: @unchecked Sendable {
    /// Initializes libcurl; safe on any thread since 7.84.
    private static let globalCode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    private let handle: UnsafeMutableRawPointer
    private let epoll: Int32
    private let waker: ProbeWaker
    private var added: [UInt: ProbeEasy] = [:]
    /// When libcurl wants to be called without an event.
    fileprivate var timer: ContinuousClock.Instant?
    private var descriptors = [Int32](repeating: 0, count: 256)
    private var events = [Int32](repeating: 0, count: 256)

    /// - Returns: `nil` if memory or file descriptors are short.
    init?(maximumConcurrent: Int, waker: ProbeWaker) {
        guard Self.globalCode == CURLE_OK, let handle = unsafe curl_multi_init() else { return nil }
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        unsafe self.handle = handle
        self.epoll = epoll
        self.waker = waker
        guard epoll >= 0, epoll_watch(epoll, waker.descriptor, CURL_POLL_IN) == 0 else { return nil }
        unsafe curl_multi_set_long(handle, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        unsafe curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, maximumConcurrent)
        unsafe curl_multi_set_callbacks(handle, onProbeSocket, onProbeTimer, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        for easy in added.values { unsafe curl_multi_remove_handle(handle, easy.handle) }
        unsafe curl_multi_cleanup(handle)
        if epoll >= 0 { close(epoll) }
    }

    /// Starts a run.
    ///
    /// - Returns: `false` if memory is short.
    func add(_ easy: ProbeEasy) -> Bool {
        guard unsafe curl_multi_add_handle(handle, easy.handle) == CURLM_OK else { return false }
        added[easy.key] = easy
        return true
    }

    /// Removes a run; its connection is closed.
    func remove(_ easy: ProbeEasy) {
        unsafe curl_multi_remove_handle(handle, easy.handle)
        added[easy.key] = nil
    }

    /// Waits until something happens or ``ProbeWaker/wake()`` is called, and does what can be done.
    ///
    /// - Returns: how much longer the wait was than it should have been.
    @discardableResult
    func turn(atMost patience: Duration) -> Duration {
        var patience = min(max(.zero, patience), .seconds(3600))
        if let timer { patience = min(patience, max(.zero, ContinuousClock.now.duration(to: timer))) }
        let milliseconds = Int32(clamping: Int64((patience / .milliseconds(1)).rounded(.up)))
        let before = ContinuousClock.now
        // Unsafe: fills up to 256 places of each.
        let count = unsafe epoll_wait_for(epoll, &descriptors, &events, milliseconds)
        let overshoot = before.duration(to: .now) - patience
        var running: Int32 = 0
        // Before the timer: what has come in time is not too late because nobody looked.
        for index in 0..<max(0, Int(count)) {
            if descriptors[index] == waker.descriptor {
                waker.clear()
            } else {
                unsafe curl_multi_socket_action(handle, descriptors[index], events[index], &running)
            }
        }
        if let timer, timer <= .now {
            self.timer = nil
            unsafe curl_multi_socket_action(handle, CURL_SOCKET_TIMEOUT, 0, &running)
        }
        return overshoot
    }

    /// Removes a run that has ended, and returns it with its result.
    func nextFinished() -> (ProbeEasy, CURLcode)? {
        var count: Int32 = 0
        while let message = unsafe curl_multi_info_read(handle, &count) {
            // Unsafe: the next call invalidates the message, so it is copied.
            let (kind, code) = unsafe (message.pointee.msg, message.pointee.data.result)
            let key = unsafe UInt(bitPattern: message.pointee.easy_handle)
            guard kind == CURLMSG_DONE, let easy = added[key] else { continue }
            return (easy, code)
        }
        return nil
    }

    fileprivate func watch(_ socket: Int32, _ what: Int32, of easy: UInt) {
        if what == CURL_POLL_REMOVE { return epoll_unwatch(epoll, socket) }
        _ = epoll_watch(epoll, socket, what)
        added[easy]?.noteWait(for: what)
    }
}

/// Wakes the checker's thread. May be used on any thread.
final class ProbeWaker: Sendable {
    /// An eventfd(2).
    let descriptor: Int32

    /// - Returns: `nil` if file descriptors are short.
    init?() {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        if descriptor < 0 { return nil }
    }

    deinit {
        close(descriptor)
    }

    /// Ends the present or the next wait.
    func wake() {
        _ = eventfd_write(descriptor, 1)
    }

    fileprivate func clear() {
        var count: UInt64 = 0
        // Unsafe: writes one number.
        _ = unsafe eventfd_read(descriptor, &count)
    }
}

@c private func onProbeSocket(
    _ easy: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ what: Int32, _ context: UnsafeMutableRawPointer?,
    _ own: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context = unsafe context else { return 0 }
    // Unsafe: the object outlives its multi handle, which calls.
    unsafe Unmanaged<ProbeMulti>.fromOpaque(context)._withUnsafeGuaranteedRef {
        $0.watch(socket, what, of: UInt(bitPattern: easy))
    }
    return 0
}

@c private func onProbeTimer(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context = unsafe context else { return 0 }
    // Unsafe: the object outlives its multi handle, which calls.
    unsafe Unmanaged<ProbeMulti>.fromOpaque(context)._withUnsafeGuaranteedRef {
        $0.timer = milliseconds < 0 ? nil : ContinuousClock.now.advanced(by: .milliseconds(milliseconds))
    }
    return 0
}
