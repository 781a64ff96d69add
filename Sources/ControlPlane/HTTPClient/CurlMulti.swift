import CCurl

/// The curl multi handle, which does all transfers on one thread. Other threads may only call ``wake()``.
///
/// Unsafe: owns the handle, and keeps every added easy handle until it is removed.
@safe
final class CurlMulti: @unchecked Sendable {
    /// Initializes libcurl, once in the process and on one thread.
    private static let globalCode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    private let handle: UnsafeMutableRawPointer
    /// The added easy handles by address; only the client's thread uses them.
    private var added: [UInt: CurlEasy] = [:]

    /// - Throws: if memory or file descriptors are short.
    init(maximumConnections: Int) throws(HTTPClientError) {
        guard Self.globalCode == CURLE_OK, let handle = unsafe curl_multi_init() else {
            throw HTTPClientError(kind: .other, reason: "libcurl can't start", mayHaveBeenSent: false)
        }
        unsafe self.handle = handle
        unsafe curl_multi_set_long(handle, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        // Both in use and kept; an idle one is closed to make room for a new one.
        unsafe curl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, maximumConnections)
        unsafe curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, maximumConnections)
        // Without free descriptors libcurl still makes the handle, but it can't be woken.
        guard unsafe curl_multi_wakeup(handle) == CURLM_OK else {
            throw HTTPClientError(kind: .other, reason: "no file descriptors left", mayHaveBeenSent: false)
        }
    }

    deinit {
        for easy in added.values { unsafe curl_multi_remove_handle(handle, easy.handle) }
        unsafe curl_multi_cleanup(handle)
    }

    /// The transfers under way.
    var running: [CurlEasy] { Array(added.values) }

    /// Starts a transfer.
    ///
    /// - Returns: `false` if memory is short.
    func add(_ easy: CurlEasy) -> Bool {
        guard unsafe curl_multi_add_handle(handle, easy.handle) == CURLM_OK else { return false }
        added[easy.address] = easy
        return true
    }

    /// Removes a transfer; if it has not ended, its connection is closed.
    func remove(_ easy: CurlEasy) {
        unsafe curl_multi_remove_handle(handle, easy.handle)
        added[easy.address] = nil
    }

    /// Does all that is possible without waiting.
    ///
    /// - Returns: `false` if libcurl has failed, for lack of memory.
    func perform() -> Bool {
        var count: Int32 = 0
        return unsafe curl_multi_perform(handle, &count) == CURLM_OK
    }

    /// Removes a transfer that has ended, and returns it with its result.
    func nextFinished() -> (CurlEasy, CURLcode)? {
        var count: Int32 = 0
        while let message = unsafe curl_multi_info_read(handle, &count) {
            // Unsafe: the next call invalidates the message, so it is copied.
            let (kind, code) = unsafe (message.pointee.msg, message.pointee.data.result)
            let address = unsafe UInt(bitPattern: message.pointee.easy_handle)
            guard kind == CURLMSG_DONE, let easy = added[address] else { continue }
            remove(easy)
            return (easy, code)
        }
        return nil
    }

    /// Waits until there is something to do, or ``wake()`` is or was called.
    ///
    /// - Returns: `false` if libcurl has failed, for lack of memory.
    func wait(atMost timeout: Duration) -> Bool {
        unsafe curl_multi_poll(handle, nil, 0, Int32(timeout.wholeMilliseconds), nil) == CURLM_OK
    }

    /// Ends ``wait(atMost:)``, or the next one. May be called on any thread.
    func wake() {
        unsafe curl_multi_wakeup(handle)
    }
}
