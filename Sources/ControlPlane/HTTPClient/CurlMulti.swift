import CCurl

/// The curl multi handle: it does all transfers, with one thread. Another thread may ``wake()`` it, no more.
///
/// Unsafe: owns the handle, and holds every easy handle that was added until it is removed.
@safe
final class CurlMulti: @unchecked Sendable {
    /// Once for the process, and by one thread.
    private static let globalCode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    private let handle: UnsafeMutableRawPointer
    /// Used by the client's thread alone, by the handles' addresses.
    private var added: [UInt: CurlEasy] = [:]

    /// - Throws: for lack of memory or file descriptors.
    init(maximumConnections: Int) throws(HTTPClientError) {
        guard Self.globalCode == CURLE_OK, let handle = unsafe curl_multi_init() else {
            throw HTTPClientError(kind: .other, reason: "libcurl can't start", mayHaveBeenSent: false)
        }
        unsafe self.handle = handle
        unsafe curl_multi_set_long(handle, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        // Those in use and those kept: an idle one is closed for a new one.
        unsafe curl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, maximumConnections)
        unsafe curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, maximumConnections)
        // A handle without descriptors left for it is made all the same, but can't be woken.
        guard unsafe curl_multi_wakeup(handle) == CURLM_OK else {
            throw HTTPClientError(kind: .other, reason: "no file descriptors left", mayHaveBeenSent: false)
        }
    }

    deinit {
        for easy in added.values { unsafe curl_multi_remove_handle(handle, easy.handle) }
        unsafe curl_multi_cleanup(handle)
    }

    /// The transfers that are being done.
    var running: [CurlEasy] { Array(added.values) }

    /// Starts a transfer.
    ///
    /// - Returns: `false` for lack of memory.
    func add(_ easy: CurlEasy) -> Bool {
        guard unsafe curl_multi_add_handle(handle, easy.handle) == CURLM_OK else { return false }
        added[easy.address] = easy
        return true
    }

    /// Takes out a transfer; in the middle of it, its connection is closed.
    func remove(_ easy: CurlEasy) {
        unsafe curl_multi_remove_handle(handle, easy.handle)
        added[easy.address] = nil
    }

    /// Does what can be done without waiting.
    ///
    /// - Returns: `false` when libcurl is broken, for lack of memory.
    func perform() -> Bool {
        var count: Int32 = 0
        return unsafe curl_multi_perform(handle, &count) == CURLM_OK
    }

    /// Takes out a transfer that has ended, with how it did.
    func nextFinished() -> (CurlEasy, CURLcode)? {
        var count: Int32 = 0
        while let message = unsafe curl_multi_info_read(handle, &count) {
            // Unsafe: the message is gone with the next call, so that it is copied.
            let (kind, code) = unsafe (message.pointee.msg, message.pointee.data.result)
            let address = unsafe UInt(bitPattern: message.pointee.easy_handle)
            guard kind == CURLMSG_DONE, let easy = added[address] else { continue }
            remove(easy)
            return (easy, code)
        }
        return nil
    }

    /// Waits until there is something to do, or ``wake()`` was called since.
    ///
    /// - Returns: `false` when libcurl is broken, for lack of memory.
    func wait(atMost timeout: Duration) -> Bool {
        unsafe curl_multi_poll(handle, nil, 0, Int32(timeout.wholeMilliseconds), nil) == CURLM_OK
    }

    /// Ends ``wait(atMost:)``, or the next one. From any thread.
    func wake() {
        unsafe curl_multi_wakeup(handle)
    }
}
