import CCurl
import Engine

/// A curl easy handle, which does one run of a check after the other. Only the checker's thread uses it.
///
/// Unsafe: owns the handle and what the handle points at. The callbacks get this object unretained: they are called
/// only while the multi handle works, and ``ProbeMulti`` keeps the easy handles that it works on.
@safe
final class ProbeEasy {
    let handle: UnsafeMutableRawPointer
    /// The handle's address, which identifies it.
    var key: UInt { unsafe UInt(bitPattern: handle) }
    /// The request's lists, which libcurl does not copy.
    private var fields: UnsafeMutablePointer<curl_slist>?
    private var pins: UnsafeMutablePointer<curl_slist>?
    private var problem = CURLE_OK

    /// The run under way.
    private(set) var run: ProbeRun?
    private var receiver: ProbeReceiver?
    /// Why no socket could be had here.
    private var localProblem: String?
    /// Whether the connection stands: libcurl does not say so before the TLS handshake is done.
    private var isConnected = false

    /// - Returns: `nil` if memory is short.
    init?() {
        guard let handle = unsafe curl_easy_init() else { return nil }
        unsafe self.handle = handle
    }

    deinit {
        // Unsafe: free the handle first, since it points at the others.
        unsafe curl_easy_cleanup(handle)
        freeLists()
    }

    /// Begins a run.
    ///
    /// - Returns: why it can't be done, or `nil`.
    func begin(_ run: ProbeRun, authorities: String) -> String? {
        let request = run.request
        self.run = run
        receiver = ProbeReceiver(request)
        (problem, localProblem, isConnected) = (CURLE_OK, nil, false)
        // Nothing of the last run stays: each target is alone.
        unsafe curl_easy_reset(handle)
        freeLists()
        setUp()
        set(CURLOPT_URL, request.url)
        if request.isPinned {
            // Unsafe: copies the text.
            unsafe pins = curl_slist_append(nil, request.connectTo)
            note(unsafe curl_set_list(handle, CURLOPT_CONNECT_TO, pins))
        }
        set(CURLOPT_TIMEOUT_MS, request.timeout.wholeMilliseconds)
        if request.usesTLS { secure(request, authorities) }
        switch request.exchange {
        case .none: set(CURLOPT_CONNECT_ONLY, 1)
        case .get: set(CURLOPT_HTTPGET, 1)
        case .head: set(CURLOPT_NOBODY, 1)
        case .call(let message):
            set(
                CURLOPT_HTTP_VERSION,
                Int(request.usesTLS ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE))
            set(CURLOPT_POST, 1)
            note(unsafe curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, message.count))
            // Unsafe: copies the number of octets set above.
            note(unsafe curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, message))
        }
        for field in request.fields {
            // Unsafe: copies the line. If memory is short, the list stays as it was.
            guard let longer = unsafe curl_slist_append(fields, field) else { return "no memory" }
            unsafe fields = longer
        }
        note(unsafe curl_set_list(handle, CURLOPT_HTTPHEADER, fields))
        return problem == CURLE_OK ? nil : "libcurl's error \(problem.rawValue)"
    }

    /// Ends the run, and returns its result.
    func finish(_ code: CURLcode, now: ContinuousClock.Instant) -> (ProbeRun, CheckResult)? {
        guard let run, let receiver else { return nil }
        var end: ProbeEnd
        switch receiver.stop {
        case .headTooLarge?: end = .headTooLarge
        case .bodyLimit?: end = .complete
        case nil:
            unsafe end = ProbeEnd(
                code, systemCode: Int32(truncatingIfNeeded: curl_info_long(handle, CURLINFO_OS_ERRNO)),
                verification: curl_info_long(handle, CURLINFO_SSL_VERIFYRESULT),
                isConnected: isConnected || curl_info_offset(handle, CURLINFO_CONNECT_TIME_T) > 0)
        }
        if let localProblem { end = .impossible(localProblem) }
        if case .call = run.request.exchange, end == .complete {
            // With TLS the target may have chosen HTTP/1.1.
            let version = unsafe curl_info_long(handle, CURLINFO_HTTP_VERSION)
            if version != Int(CURL_HTTP_VERSION_2_0) { end = .notHTTP }
        }
        let result = ProbeVerdict.result(
            of: run.check, end, status: unsafe curl_status(handle), receiver,
            after: run.startedAt.duration(to: now))
        forget()
        return (run, result)
    }

    /// Drops the run. The multi handle must have dropped it before.
    func forget() {
        run = nil
        receiver = nil
    }

    /// Notes what libcurl waits for: until the connection stands, only for its being writable.
    func noteWait(for what: Int32) {
        if what & CURL_POLL_IN != 0 { isConnected = true }
    }

    /// Sets the options that are the same for all runs.
    private func setUp() {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        set(CURLOPT_PATH_AS_IS, 1)
        // Ignore proxies named in the environment.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // Each run shows whether the target takes a connection.
        set(CURLOPT_FRESH_CONNECT, 1)
        set(CURLOPT_FORBID_REUSE, 1)
        // libcurl remembers addresses too, and looks through what it remembers after each transfer.
        set(CURLOPT_DNS_CACHE_TIMEOUT, 0)
        set(CURLOPT_BUFFERSIZE, 4096)
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        note(unsafe curl_set_write_function(handle, CURLOPT_WRITEFUNCTION, onProbeBody))
        note(unsafe curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        note(unsafe curl_set_write_function(handle, CURLOPT_HEADERFUNCTION, onProbeHead))
        note(unsafe curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        note(unsafe curl_set_open_socket(handle, onProbeOpen))
        note(unsafe curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, context))
    }

    private func secure(_ request: ProbeRequest, _ authorities: String) {
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        // A resumed session would hide a certificate that has expired or changed.
        set(CURLOPT_SSL_SESSIONID_CACHE, 0)
        set(CURLOPT_SSL_VERIFYPEER, request.verify ? 1 : 0)
        set(CURLOPT_SSL_VERIFYHOST, request.verify ? 2 : 0)
        // Replaced files of authorities take effect after a minute. Without a folder of authorities, libcurl keeps what
        // it has read: it takes more time than all the rest of a run.
        set(CURLOPT_CA_CACHE_TIMEOUT, 60)
        set(CURLOPT_CAPATH, nil)
        if !request.verify {
            set(CURLOPT_CAINFO, nil)
        } else if !authorities.isEmpty {
            set(CURLOPT_CAINFO, authorities)
        }
    }

    private func set(_ option: CURLoption, _ value: Int) {
        note(unsafe curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ text: String?) {
        // Unsafe: libcurl copies it.
        note(unsafe curl_set_string(handle, option, text))
    }

    private func note(_ code: CURLcode) {
        if problem == CURLE_OK { problem = code }
    }

    private func freeLists() {
        unsafe curl_slist_free_all(fields)
        unsafe curl_slist_free_all(pins)
        unsafe (fields, pins) = (nil, nil)
    }

    fileprivate func takeLine(_ line: UnsafeRawBufferPointer) -> Bool { unsafe receiver?.takeLine(line) ?? false }

    fileprivate func takeBody(_ piece: UnsafeRawBufferPointer) -> Bool { unsafe receiver?.takeBody(piece) ?? false }

    /// Opens a socket, but to the registered address only, whatever libcurl may want.
    fileprivate func open(_ wanted: UnsafePointer<curl_sockaddr>) -> Int32 {
        guard let run else { return CURL_SOCKET_BAD }
        let address = unsafe wanted.pointee
        // Unsafe: reads a sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)), which has at least the octets looked at.
        let octets = unsafe UnsafeRawBufferPointer(
            start: UnsafeRawPointer(wanted) + (MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0),
            count: Int(address.addrlen))
        let expected = run.request.address
        let place = expected.isIPv4 ? 4..<8 : 8..<24
        let family = expected.isIPv4 ? AF_INET : AF_INET6
        guard address.family == family, octets.count >= place.upperBound,
            unsafe octets[place].elementsEqual(expected.octets),
            unsafe UInt16(octets[2]) << 8 | UInt16(octets[3]) == run.request.port
        else {
            localProblem = "the connection would go elsewhere"
            return CURL_SOCKET_BAD
        }
        let kind = address.socktype | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, kind, address.protocol)
        if descriptor < 0 { localProblem = "no socket: error \(curl_last_error())" }
        return descriptor
    }
}

/// A run of a check for libcurl.
struct ProbeRun: Sendable {
    var id: UInt64
    var check: Check
    var request: ProbeRequest
    var startedAt: ContinuousClock.Instant
}

/// Passes the octets that have come to the object that set the callback.
///
/// - Returns: their number, or 0 to end the transfer.
private func handOver(
    _ octets: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
    _ take: (ProbeEasy, UnsafeRawBufferPointer) -> Bool
) -> Int {
    guard let octets = unsafe octets, let context = unsafe context, count > 0 else { return 0 }
    // Unsafe: the multi handle's owner keeps the object.
    return unsafe Unmanaged<ProbeEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { easy in
        unsafe take(easy, UnsafeRawBufferPointer(start: octets, count: count))
    } ? count : 0
}

@c private func onProbeBody(
    _ octets: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    // The size is always 1.
    unsafe handOver(octets, size &* count, context) { unsafe $0.takeBody($1) }
}

@c private func onProbeHead(
    _ octets: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe handOver(octets, size &* count, context) { unsafe $0.takeLine($1) }
}

@c private func onProbeOpen(
    _ context: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let context = unsafe context, let address = unsafe address else { return CURL_SOCKET_BAD }
    // Unsafe: the multi handle's owner keeps the object.
    return unsafe Unmanaged<ProbeEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { unsafe $0.open(address) }
}
