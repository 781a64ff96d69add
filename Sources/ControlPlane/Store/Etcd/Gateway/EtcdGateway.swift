/// etcd's JSON gateway as the store uses it: ``EtcdClient`` in production, a script in tests.
protocol EtcdGateway: Sendable {
    /// The member that is asked first.
    var endpoint: String { get }

    /// How long a call may take in all.
    var timeout: Duration { get }

    /// Makes a call with a single answer.
    ///
    /// - Parameter limit: how long it may take, if that is less than ``timeout``.
    /// - Returns: the body of the answer.
    nonisolated(nonsending) func answer(
        _ path: String, _ body: [UInt8], within limit: Duration
    ) async throws(EtcdError) -> [UInt8]

    /// Makes a call with a continuing answer, to the member that is asked first.
    ///
    /// - Parameter onOctets: is called with what arrives, on a thread that must not wait; `false` ends the call.
    nonisolated(nonsending) func stream(
        _ path: String, _ body: [UInt8], onOctets: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(EtcdError)

    /// Makes the next calls use new connections: the kept ones may lead nowhere.
    func distrustConnections()

    /// Ends all calls; later ones fail.
    func shutdown()
}

extension EtcdGateway {
    /// Makes a call whose answer is one message.
    nonisolated(nonsending) func call(
        _ path: String, _ body: [UInt8], within limit: Duration? = nil
    ) async throws(EtcdError) -> EtcdResponse {
        try EtcdResponse(json(try await answer(path, body, within: limit ?? timeout)))
    }

    /// Makes a call whose answer has one line for each of its requests.
    nonisolated(nonsending) func callForLines(
        _ path: String, _ body: [UInt8], within limit: Duration? = nil
    ) async throws(EtcdError) -> [EtcdResponse] {
        var responses: [EtcdResponse] = []
        for line in try await answer(path, body, within: limit ?? timeout).split(separator: UInt8(ascii: "\n")) {
            let message = try EtcdStreamMessage(json(Array(line)))
            if let problem = message.problem { throw EtcdError(kind: .unavailable, reason: problem) }
            responses.append(message.result)
        }
        return responses
    }

    private func json(_ body: [UInt8]) throws(EtcdError) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(body)
        } catch {
            throw EtcdError(kind: .unavailable, reason: "the answer is not JSON: \(error)")
        }
    }
}
