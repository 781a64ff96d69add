import CCurl

/// A curl easy handle: one transfer, then another. Used by the client's thread alone.
///
/// Unsafe: owns the handle and what the handle points at. The callbacks get this object unretained: they are called
/// only while the multi handle works, and ``CurlMulti`` holds what it works on.
@safe
final class CurlEasy {
    /// For how long what was sent may be unacknowledged, and the peer silent to keepalive probes, in milliseconds.
    private static let userTimeout: Int32 = 5000

    let handle: UnsafeMutableRawPointer
    /// The handle's address, which says who it is.
    var address: UInt { unsafe UInt(bitPattern: handle) }
    /// Where libcurl writes what went wrong.
    private let errorText: UnsafeMutablePointer<CChar>
    /// The request's header fields: libcurl does not copy them.
    private var fields: UnsafeMutablePointer<curl_slist>?
    /// The first option that was not taken.
    private var problem = CURLE_OK

    /// What is being transferred.
    private(set) var transfer: Transfer?
    private var receiver = ResponseReceiver(maximumBodyOctets: 0, stream: nil)
    private var hasBegun = false
    private var isRepeated = false

    /// - Throws: for lack of memory, or when the library lacks what is needed.
    init(tls: HTTPClient.TLS) throws(HTTPClientError) {
        guard let handle = unsafe curl_easy_init() else {
            throw HTTPClientError(kind: .other, reason: "no memory for a transfer", mayHaveBeenSent: false)
        }
        unsafe self.handle = handle
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        setUp(tls)
        if let error { throw error }
    }

    deinit {
        // Unsafe: the handle first, for it points at the others.
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(fields)
        unsafe errorText.deallocate()
    }

    /// Options that are the same for all requests.
    private func setUp(_ tls: HTTPClient.TLS) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        // The environment names no proxy for us.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // A resolver that hangs must not hold up the thread when its transfer has ended: it is left to end alone.
        set(CURLOPT_QUICK_EXIT, 1)

        // A peer that is cut off ends a stream within some 7 s.
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 2)
        set(CURLOPT_TCP_KEEPINTVL, 1)

        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        // Authorities that were replaced are read after a minute; libcurl's default is a day.
        set(CURLOPT_CA_CACHE_TIMEOUT, 60)
        if !tls.authorities.isEmpty {
            set(CURLOPT_CAINFO, tls.authorities)
            // Or the system's folder of authorities would be trusted as well.
            set(CURLOPT_CAPATH, nil)
        }
        if !tls.certificate.isEmpty {
            set(CURLOPT_SSLCERT, tls.certificate)
            set(CURLOPT_SSLKEY, tls.key.isEmpty ? tls.certificate : tls.key)
        }

        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        note(unsafe curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
        note(unsafe curl_set_write_function(handle, CURLOPT_WRITEFUNCTION, onBody))
        note(unsafe curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        note(unsafe curl_set_write_function(handle, CURLOPT_HEADERFUNCTION, onHead))
        note(unsafe curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        note(unsafe curl_set_before_request(handle, onRequest))
        note(unsafe curl_set_pointer(handle, CURLOPT_PREREQDATA, context))
        note(unsafe curl_set_socket_options(handle, onSocket))
    }

    /// Takes over a transfer.
    ///
    /// - Parameters:
    ///   - timeout: what is left of the request's timeout.
    ///   - distrustedFor: how old a connection may be that is used again; `nil`: any age.
    /// - Throws: when the request can't be told to libcurl.
    func begin(_ transfer: Transfer, timeout: Duration?, distrustedFor: Duration?) throws(HTTPClientError) {
        let request = transfer.request
        self.transfer = transfer
        receiver = ResponseReceiver(maximumBodyOctets: request.maximumBodyOctets, stream: transfer.stream)
        (hasBegun, isRepeated, problem) = (false, false, CURLE_OK)
        unsafe errorText[0] = 0

        set(CURLOPT_URL, request.url)
        set(CURLOPT_TIMEOUT_MS, timeout?.wholeMilliseconds ?? 0)
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds)
        // libcurl counts ages in whole seconds, rounded down: one less, and none that is too old passes.
        let age = distrustedFor.map { Int($0.components.seconds) - 1 }
        set(CURLOPT_FRESH_CONNECT, age.map { $0 < 1 } ?? false ? 1 : 0)
        set(CURLOPT_MAXLIFETIME_CONN, max(0, age ?? 0))
        switch request.method {
        case .get: set(CURLOPT_HTTPGET, 1)
        case .head: set(CURLOPT_NOBODY, 1)
        case .post:
            set(CURLOPT_POST, 1)
            note(unsafe curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, request.body.count))
            // Unsafe: copies as many octets as were told before.
            note(unsafe curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, request.body))
        }
        set(request.fields)
        if let error { throw error }
    }

    /// Lets go of the transfer, and says what became of it.
    func finish(_ code: CURLcode) -> (Transfer, Transfer.Outcome)? {
        guard let transfer else { return nil }
        let status = unsafe curl_status(handle)
        let outcome: Transfer.Outcome =
            switch receiver.refusal {
            case .headTooLarge: .failure(refused("a head of more than \(ResponseReceiver.maximumHeadOctets) octets"))
            case .bodyTooLarge: .failure(refused("a body of more than \(transfer.request.maximumBodyOctets) octets"))
            case .streamEnded: .success(HTTPClientResponse(status: status))
            case nil where code == CURLE_OK: .success(HTTPClientResponse(status: status, body: receiver.body))
            case nil where isRepeated: .failure(.connectionLostBeforeAnswer)
            case nil: .failure(HTTPClientError(code, reason: reason(code), mayHaveBeenSent: hasBegun))
            }
        forget()
        return (transfer, outcome)
    }

    /// Lets go of the transfer in the middle. After the multi handle has.
    func abandon() -> (Transfer, mayHaveBeenSent: Bool)? {
        guard let transfer else { return nil }
        forget()
        return (transfer, hasBegun)
    }

    /// What waits for the next transfer keeps no bodies or fields: they may be large, or secret.
    private func forget() {
        transfer = nil
        receiver = ResponseReceiver(maximumBodyOctets: 0, stream: nil)
        note(unsafe curl_set_pointer(handle, CURLOPT_POSTFIELDS, nil))
        unsafe replaceFields(with: nil)
    }

    private func set(_ option: CURLoption, _ value: Int) {
        note(unsafe curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ text: String?) {
        // Unsafe: libcurl copies it.
        note(unsafe curl_set_string(handle, option, text))
    }

    private func set(_ lines: [HTTPClientRequest.Field]) {
        // Without `Expect:` libcurl would ask for permission before it sends a large body.
        var list = unsafe curl_slist_append(nil, "Expect:")
        for field in lines {
            // Unsafe: copies the line. Without memory the list is as it was.
            guard let longer = unsafe curl_slist_append(list, field.line) else {
                note(CURLE_OUT_OF_MEMORY)
                break
            }
            unsafe list = longer
        }
        unsafe replaceFields(with: list)
    }

    private func replaceFields(with list: UnsafeMutablePointer<curl_slist>?) {
        note(unsafe curl_set_list(handle, CURLOPT_HTTPHEADER, list))
        // Unsafe: the handle points at the new ones now.
        unsafe curl_slist_free_all(fields)
        unsafe fields = list
    }

    private func note(_ code: CURLcode) {
        if problem == CURLE_OK { problem = code }
    }

    /// The first option that was not taken, as an error.
    private var error: HTTPClientError? {
        if problem == CURLE_OK { return nil }
        return HTTPClientError(kind: .other, reason: reason(problem), mayHaveBeenSent: false)
    }

    private func refused(_ reason: String) -> HTTPClientError {
        HTTPClientError(kind: .tooLarge, reason: reason, mayHaveBeenSent: true)
    }

    /// libcurl's words, as one line: certificates put in words of the peer's.
    private func reason(_ code: CURLcode) -> String {
        let own = unsafe UnsafeBufferPointer(start: errorText, count: Int(CURL_ERROR_SIZE)).prefix { $0 != 0 }
        // Unsafe: the text is a constant of the library's.
        let text = unsafe own.isEmpty ? curl_easy_strerror(code).map { unsafe String(cString: $0) } : nil
        let octets = unsafe text.map { Array($0.utf8) } ?? own.map { UInt8(bitPattern: $0) }
        return String(decoding: octets.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }

    /// A connection is ready for the request. `false`: it must not be sent.
    ///
    /// When a kept connection turns out to be closed, libcurl sends the request again on a new one; but the server may
    /// have got it, and a POST must not be done twice.
    fileprivate func beginsRequest() -> Bool {
        isRepeated = hasBegun && transfer?.request.method == .post
        hasBegun = true
        return !isRepeated
    }

    fileprivate func takeLine(_ line: UnsafeRawBufferPointer) -> Bool {
        let isEmpty = unsafe line.first == 0x0D || line.first == 0x0A
        return unsafe receiver.takeLine(ofOctets: line.count, isEmpty: isEmpty, status: curl_status(handle))
    }

    fileprivate func takeBody(_ piece: UnsafeRawBufferPointer) -> Bool {
        unsafe receiver.takeBody(Array(piece), status: curl_status(handle))
    }

    /// Unsafe: sets one integer.
    fileprivate static func limitSilence(of socket: Int32) {
        var timeout = userTimeout
        unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, socklen_t(MemoryLayout<Int32>.size))
    }
}

extension HTTPClientError {
    fileprivate static let connectionLostBeforeAnswer = HTTPClientError(
        kind: .connectionLost, reason: "the kept connection was closed before an answer", mayHaveBeenSent: true)
}

extension Duration {
    /// In milliseconds, at least one: zero means something else to libcurl.
    var wholeMilliseconds: Int { Int(max(1, min(self / .milliseconds(1), 2_000_000_000)).rounded(.up)) }
}

/// Calls back the object that set the callback, with the octets that came.
///
/// - Returns: as many as came, or none to end the transfer.
private func handOver(
    _ octets: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?,
    _ take: (CurlEasy, UnsafeRawBufferPointer) -> Bool
) -> Int {
    // The size is always 1.
    let count = size &* count
    guard let octets = unsafe octets, let context = unsafe context, count > 0 else { return 0 }
    // Unsafe: the multi handle's owner holds the object.
    return unsafe Unmanaged<CurlEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { easy in
        unsafe take(easy, UnsafeRawBufferPointer(start: octets, count: count))
    } ? count : 0
}

@c private func onBody(
    _ octets: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe handOver(octets, size, count, context) { unsafe $0.takeBody($1) }
}

@c private func onHead(
    _ octets: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe handOver(octets, size, count, context) { unsafe $0.takeLine($1) }
}

@c private func onRequest(
    _ context: UnsafeMutableRawPointer?,
    _ peer: UnsafeMutablePointer<CChar>?,
    _ local: UnsafeMutablePointer<CChar>?,
    _ peerPort: Int32,
    _ localPort: Int32
) -> Int32 {
    guard let context = unsafe context else { return CURL_PREREQFUNC_ABORT }
    // Unsafe: the multi handle's owner holds the object.
    let isWanted = unsafe Unmanaged<CurlEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.beginsRequest() }
    return isWanted ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

@c private func onSocket(_ context: UnsafeMutableRawPointer?, _ socket: Int32, _ purpose: curlsocktype) -> Int32 {
    CurlEasy.limitSilence(of: socket)
    return CURL_SOCKOPT_OK
}
