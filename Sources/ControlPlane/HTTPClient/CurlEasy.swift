import CCurl

/// A curl easy handle, which does one transfer after the other. Only the client's thread uses it.
///
/// Unsafe: owns the handle and what the handle points at. The callbacks get this object unretained: they are called
/// only while the multi handle works, and ``CurlMulti`` keeps the easy handles that it works on.
@safe
final class CurlEasy {
    /// How long sent octets may be unacknowledged, or the peer silent to keepalive probes, in milliseconds.
    private static let userTimeout: Int32 = 5000

    let handle: UnsafeMutableRawPointer
    /// The handle's address, which identifies it.
    var address: UInt { unsafe UInt(bitPattern: handle) }
    /// The buffer into which libcurl writes its error message.
    private let errorText: UnsafeMutablePointer<CChar>
    /// The request's header fields, which libcurl does not copy.
    private var fields: UnsafeMutablePointer<curl_slist>?
    /// The error of the first option that libcurl refused.
    private var problem = CURLE_OK

    /// The present transfer.
    private(set) var transfer: Transfer?
    private var receiver = ResponseReceiver(maximumBodyOctets: 0, stream: nil)
    private var hasBegun = false
    private var isRepeated = false

    /// - Throws: if memory is short, or the library lacks a feature that is needed.
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
        // Unsafe: free the handle first, since it points at the others.
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(fields)
        unsafe errorText.deallocate()
    }

    /// Sets the options that are the same for all requests.
    private func setUp(_ tls: HTTPClient.TLS) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        // Ignore proxies named in the environment.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // A resolver that hangs must not hold up the thread after its transfer: it is left to end by itself.
        set(CURLOPT_QUICK_EXIT, 1)

        // With these, a stream ends within some 7 s when its peer is cut off.
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 2)
        set(CURLOPT_TCP_KEEPINTVL, 1)

        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        // Replaced files of authorities take effect after a minute; libcurl's default is a day.
        set(CURLOPT_CA_CACHE_TIMEOUT, 60)
        if !tls.authorities.isEmpty {
            set(CURLOPT_CAINFO, tls.authorities)
            // Otherwise the system's folder of authorities would be trusted too.
            set(CURLOPT_CAPATH, nil)
        }
        if !tls.certificate.isEmpty {
            set(CURLOPT_SSLCERT, tls.certificate)
            set(CURLOPT_SSLKEY, tls.key.isEmpty ? tls.certificate : tls.key)
        }

        if !tls.verifies {
            set(CURLOPT_SSL_VERIFYPEER, 0)
            set(CURLOPT_SSL_VERIFYHOST, 0)
        }

        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        note(unsafe curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
        note(unsafe curl_set_write_function(handle, CURLOPT_WRITEFUNCTION, onBody))
        note(unsafe curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        note(unsafe curl_set_read_function(handle, onUpload))
        note(unsafe curl_set_pointer(handle, CURLOPT_READDATA, context))
        note(unsafe curl_set_write_function(handle, CURLOPT_HEADERFUNCTION, onHead))
        note(unsafe curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        note(unsafe curl_set_before_request(handle, onRequest))
        note(unsafe curl_set_pointer(handle, CURLOPT_PREREQDATA, context))
        note(unsafe curl_set_socket_options(handle, onSocket))
    }

    /// Begins a transfer.
    ///
    /// - Parameters:
    ///   - timeout: what is left of the request's timeout.
    ///   - distrustedFor: the age that a reused connection must be below; `nil`: any age is good.
    /// - Throws: if libcurl refuses an option.
    func begin(_ transfer: Transfer, timeout: Duration?, distrustedFor: Duration?) throws(HTTPClientError) {
        let request = transfer.request
        self.transfer = transfer
        receiver = ResponseReceiver(maximumBodyOctets: request.maximumBodyOctets, stream: transfer.stream)
        (hasBegun, isRepeated, problem) = (false, false, CURLE_OK)
        unsafe errorText[0] = 0

        set(CURLOPT_URL, request.url)
        set(CURLOPT_TIMEOUT_MS, timeout?.wholeMilliseconds ?? 0)
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds)
        // libcurl rounds ages down to whole seconds. The limit is one second lower, so that no connection is too old.
        let age = distrustedFor.map { Int($0.components.seconds) - 1 }
        set(CURLOPT_FRESH_CONNECT, age.map { $0 < 1 } ?? false ? 1 : 0)
        set(CURLOPT_MAXLIFETIME_CONN, max(0, age ?? 0))
        set(CURLOPT_LOW_SPEED_LIMIT, request.silenceTimeout == nil ? 0 : 1)
        set(CURLOPT_LOW_SPEED_TIME, request.silenceTimeout.map { Int(max(1, $0.components.seconds)) } ?? 0)
        var fields = request.fields.map(\.line)
        switch request.method {
        case .get, .delete: set(CURLOPT_HTTPGET, 1)
        case .head: set(CURLOPT_NOBODY, 1)
        case .post, .put, .patch:
            set(CURLOPT_POST, 1)
            if let upload = request.upload {
                note(unsafe curl_set_pointer(handle, CURLOPT_POSTFIELDS, nil))
                note(unsafe curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, upload.length ?? -1))
                if upload.length == nil { fields.append("Transfer-Encoding: chunked") }
            } else {
                note(unsafe curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, request.body.count))
                // Unsafe: copies the number of octets set above.
                note(unsafe curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, request.body))
            }
        }
        let isNamed = ![.get, .head, .post].contains(request.method)
        set(CURLOPT_CUSTOMREQUEST, isNamed ? request.method.rawValue : nil)
        set(fields)
        if let error { throw error }
    }

    /// Ends the transfer, and returns its outcome.
    func finish(_ code: CURLcode) -> (Transfer, Transfer.Outcome)? {
        guard let transfer else { return nil }
        let status = unsafe curl_status(handle)
        let outcome: Transfer.Outcome =
            switch receiver.refusal {
            case .headTooLarge: .failure(refused("a head of more than \(ResponseReceiver.maximumHeadOctets) octets"))
            case .bodyTooLarge: .failure(refused("a body of more than \(transfer.request.maximumBodyOctets) octets"))
            case .streamEnded: .success(HTTPClientResponse(status: status))
            case nil where code == CURLE_OK:
                .success(
                    HTTPClientResponse(
                        status: status, body: receiver.body, fields: transfer.request.wantedFields.compactMap(field)))
            case nil where isRepeated: .failure(.connectionLostBeforeAnswer)
            case nil: .failure(HTTPClientError(code, reason: reason(code), mayHaveBeenSent: hasBegun))
            }
        forget()
        return (transfer, outcome)
    }

    /// Drops an unfinished transfer. The multi handle must have dropped it before.
    func abandon() -> (Transfer, mayHaveBeenSent: Bool)? {
        guard let transfer else { return nil }
        forget()
        return (transfer, hasBegun)
    }

    /// An idle handle keeps no bodies or fields: they may be large or secret.
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

    private func set(_ lines: [String]) {
        // With `Expect:` libcurl does not ask for permission before it sends a large body.
        var list = unsafe curl_slist_append(nil, "Expect:")
        for line in lines {
            // Unsafe: copies the line. If memory is short, the list stays as it was.
            guard let longer = unsafe curl_slist_append(list, line) else {
                note(CURLE_OUT_OF_MEMORY)
                break
            }
            unsafe list = longer
        }
        unsafe replaceFields(with: list)
    }

    private func replaceFields(with list: UnsafeMutablePointer<curl_slist>?) {
        note(unsafe curl_set_list(handle, CURLOPT_HTTPHEADER, list))
        // Unsafe: the handle points at the new fields now.
        unsafe curl_slist_free_all(fields)
        unsafe fields = list
    }

    private func note(_ code: CURLcode) {
        if problem == CURLE_OK { problem = code }
    }

    /// A field of the response.
    private func field(_ name: String) -> HTTPClientRequest.Field? {
        // Unsafe: copies a C string that is valid until the next transfer.
        unsafe curl_response_field(handle, name).map { unsafe .init(name: name, value: String(cString: $0)) }
    }

    /// The error of the first option that libcurl refused.
    private var error: HTTPClientError? {
        if problem == CURLE_OK { return nil }
        return HTTPClientError(kind: .other, reason: reason(problem), mayHaveBeenSent: false)
    }

    private func refused(_ reason: String) -> HTTPClientError {
        HTTPClientError(kind: .tooLarge, reason: reason, mayHaveBeenSent: true)
    }

    /// libcurl's message as one line of printable ASCII: a certificate can put the peer's words into it.
    private func reason(_ code: CURLcode) -> String {
        let own = unsafe UnsafeBufferPointer(start: errorText, count: Int(CURL_ERROR_SIZE)).prefix { $0 != 0 }
        // Unsafe: the text is a constant in the library.
        let text = unsafe own.isEmpty ? curl_easy_strerror(code).map { unsafe String(cString: $0) } : nil
        let octets = unsafe text.map { Array($0.utf8) } ?? own.map { UInt8(bitPattern: $0) }
        return String(decoding: octets.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }

    /// Is called when a connection is ready for the request. `false`: it must not be sent.
    ///
    /// If a kept connection turns out to be closed, libcurl sends the request again on a new one. But the server may
    /// have got the first, and a POST must not be done twice.
    fileprivate func beginsRequest() -> Bool {
        isRepeated = hasBegun && transfer?.request.method.isSafe == false
        hasBegun = true
        return !isRepeated
    }

    fileprivate func takeLine(_ line: UnsafeRawBufferPointer) -> Bool {
        let isEmpty = unsafe line.first == 0x0D || line.first == 0x0A
        return unsafe receiver.takeLine(ofOctets: line.count, isEmpty: isEmpty, status: curl_status(handle))
    }

    /// Writes the next octets of an upload.
    ///
    /// Unsafe: writes at most as many octets as there is room for.
    ///
    /// - Returns: their number; `nil`: the request is to end.
    fileprivate func giveBody(_ room: UnsafeMutableRawBufferPointer) -> Int? {
        guard let octets = transfer?.request.upload?.read(room.count), octets.count <= room.count else { return nil }
        unsafe room.copyBytes(from: octets)
        return octets.count
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
    /// In milliseconds and at least one: zero has another meaning to libcurl.
    var wholeMilliseconds: Int { Int(max(1, min(self / .milliseconds(1), 2_000_000_000)).rounded(.up)) }
}

/// Passes the octets that have come to the object that set the callback.
///
/// - Returns: their number, or 0 to end the transfer.
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
    // Unsafe: the multi handle's owner keeps the object.
    return unsafe Unmanaged<CurlEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { easy in
        unsafe take(easy, UnsafeRawBufferPointer(start: octets, count: count))
    } ? count : 0
}

@c private func onBody(
    _ octets: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe handOver(octets, size, count, context) { unsafe $0.takeBody($1) }
}

@c private func onUpload(
    _ room: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let room = unsafe room, let context = unsafe context else { return Int(CURL_READFUNC_ABORT) }
    // Unsafe: the multi handle's owner keeps the object.
    return unsafe Unmanaged<CurlEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { easy in
        unsafe easy.giveBody(UnsafeMutableRawBufferPointer(start: room, count: size &* count))
    } ?? Int(CURL_READFUNC_ABORT)
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
    // Unsafe: the multi handle's owner keeps the object.
    let isWanted = unsafe Unmanaged<CurlEasy>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.beginsRequest() }
    return isWanted ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

@c private func onSocket(_ context: UnsafeMutableRawPointer?, _ socket: Int32, _ purpose: curlsocktype) -> Int32 {
    CurlEasy.limitSilence(of: socket)
    return CURL_SOCKOPT_OK
}
