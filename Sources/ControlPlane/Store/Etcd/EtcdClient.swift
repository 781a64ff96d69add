import Foundation
import Synchronization

/// Calls etcd's JSON gateway at whichever of its members answers.
final class EtcdClient: EtcdGateway {
    private struct State {
        /// The member that is asked first.
        var current = 0
        /// What tells etcd who we are; `nil`: not known yet.
        var token: String?
    }

    /// The largest response: a page of the largest values.
    private static let maximumBodyOctets = 64 << 20

    private let endpoints: [String]
    private let username: String
    private let password: String
    private let http: HTTPClient
    private let state = Mutex(State())

    let timeout: Duration

    /// - Throws: when a file that is named is not there, or the system has not got what an HTTP client needs.
    init(_ configuration: Configuration.Etcd) throws(StoreUnavailable) {
        let files = [
            ("ca", configuration.ca), ("certificate", configuration.certificate), ("key", configuration.key),
        ]
        for (key, path) in files where !path.isEmpty && !FileManager.default.isReadableFile(atPath: path) {
            throw StoreUnavailable(reason: "\(key): \(path): there is no such file, or it can't be read")
        }
        endpoints = configuration.endpoints.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        username = configuration.username
        password = configuration.password
        timeout = configuration.timeout
        let tls = HTTPClient.TLS(
            authorities: configuration.ca, certificate: configuration.certificate, key: configuration.key)
        do throws(HTTPClientError) {
            http = try HTTPClient(tls: tls)
        } catch {
            throw StoreUnavailable(reason: error.description)
        }
    }

    var endpoint: String { state.withLock { endpoints[$0.current] } }

    func distrustConnections() {
        http.distrustConnections(to: endpoint)
    }

    func shutdown() {
        http.shutdown()
    }

    nonisolated(nonsending) func stream(
        _ path: String, _ body: [UInt8], onOctets: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(EtcdError) {
        let endpoint = endpoint
        let token = try await currentToken(within: timeout)
        var request = request(endpoint, path, body, token)
        request.timeout = nil
        // Ends the stream when this member is cut off from the others: it would be silent for ever.
        request.fields.append(HTTPClientRequest.Field(name: "Grpc-Metadata-hasleader", value: "true"))
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await http.stream(request, onOctets: onOctets)
        } catch {
            throw EtcdError(kind: .unavailable, reason: "\(endpoint): \(error)")
        }
        guard response.status == 200 else {
            let error = Self.error(response, endpoint)
            if error.kind == .unauthenticated { forget(token) }
            throw error
        }
    }

    /// Asks one member after the other until one answers or the time is up.
    nonisolated(nonsending) func answer(
        _ path: String, _ body: [UInt8], within limit: Duration
    ) async throws(EtcdError) -> [UInt8] {
        let limit = min(limit, timeout)
        let deadline = ContinuousClock.now + limit
        let attempts = max(2, min(endpoints.count + 1, 4))
        var isTokenFresh = false
        var last = EtcdError(kind: .unavailable, reason: "no answer within \(limit)")
        for attempt in 0..<attempts {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero, !Task.isCancelled else { break }
            let (index, endpoint) = state.withLock { ($0.current, endpoints[$0.current]) }
            do throws(EtcdError) {
                // With others to ask, one that does not answer gets a part of the time.
                let share = endpoints.count == 1 ? left : max(left / (attempts - attempt), .milliseconds(100))
                let token = try await currentToken(within: share)
                var request = request(endpoint, path, body, token)
                request.timeout = share
                request.connectTimeout = share
                let response = try await send(request, endpoint)
                if response.status == 200 { return response.body }
                let error = Self.error(response, endpoint)
                if error.kind == .unauthenticated, !isTokenFresh {
                    isTokenFresh = true
                    forget(token)
                    last = error
                    continue
                }
                throw error
            } catch {
                if error.kind != .unavailable { throw error }
                last = error
                // Behind a balancer another connection may lead to another member, and a kept one nowhere.
                http.distrustConnections(to: endpoint)
                // Another caller may have gone on to the next already.
                state.withLock { state in
                    if state.current == index { state.current = (index + 1) % endpoints.count }
                }
            }
        }
        throw last
    }

    private nonisolated(nonsending) func send(
        _ request: HTTPClientRequest, _ endpoint: String
    ) async throws(EtcdError) -> HTTPClientResponse {
        do throws(HTTPClientError) {
            return try await http.send(request)
        } catch {
            throw EtcdError(kind: .unavailable, reason: "\(endpoint): \(error)")
        }
    }

    private func request(_ endpoint: String, _ path: String, _ body: [UInt8], _ token: String?) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "\(endpoint)/v3/\(path)")
        request.body = body
        request.maximumBodyOctets = Self.maximumBodyOctets
        request.fields = [HTTPClientRequest.Field(name: "Content-Type", value: "application/json")]
        if let token { request.fields.append(HTTPClientRequest.Field(name: "Authorization", value: token)) }
        return request
    }

    private static let authentication = "auth/authenticate"

    /// The token to send along; `nil`: etcd needs none.
    private nonisolated(nonsending) func currentToken(within limit: Duration) async throws(EtcdError) -> String? {
        if username.isEmpty { return nil }
        if let token = state.withLock({ $0.token }) { return token }
        let body = EtcdMessage.authenticate(username: username, password: password)
        let endpoint = endpoint
        var request = request(endpoint, Self.authentication, body, nil)
        request.timeout = limit
        request.connectTimeout = limit
        let response = try await send(request, endpoint)
        guard response.status == 200 else { throw Self.error(response, endpoint) }
        guard let json = try? JSONParser.parse(response.body), let token = try EtcdResponse(json).token else {
            throw EtcdError(kind: .rejected, reason: "\(endpoint): no token in the answer to the authentication")
        }
        state.withLock { $0.token = token }
        return token
    }

    private func forget(_ token: String?) {
        state.withLock { state in
            if state.token == token { state.token = nil }
        }
    }

    private static func error(_ response: HTTPClientResponse, _ endpoint: String) -> EtcdError {
        let json = (try? JSONParser.parse(response.body)) ?? .null
        var error = EtcdError(json, status: response.status)
        error.reason = "\(endpoint): \(error.reason)"
        return error
    }
}
