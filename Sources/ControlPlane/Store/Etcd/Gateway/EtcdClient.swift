import Foundation
import Synchronization

/// Calls etcd's JSON gateway on any member that answers.
final class EtcdClient: EtcdGateway {
    private struct State {
        /// The index of the member that is asked first.
        var current = 0
        /// `nil`: not known yet.
        var credential: Credential?
    }

    /// How calls identify themselves to etcd.
    private enum Credential: Sendable, Equatable {
        /// Not at all: authentication is not enabled.
        case none
        case token(String)
    }

    /// The longest response: a page of the largest values.
    private static let maximumBodyOctets = 64 << 20
    /// How often a call is repeated because etcd does not accept its credential: authentication may be enabled or
    /// disabled, and users may be changed, in quick succession.
    private static let maximumRenewals = 3

    private let endpoints: [String]
    private let username: String
    private let password: String
    private let http: HTTPClient
    private let state = Mutex(State())

    let timeout: Duration

    /// - Throws: if a configured file is missing, or the system lacks the resources for an HTTP client.
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
        let credential = try await currentCredential(within: timeout)
        var request = request(endpoint, path, body, credential)
        request.timeout = nil
        // With this field the stream ends if the member is cut off from the others; otherwise it would be silent for
        // ever.
        request.fields.append(HTTPClientRequest.Field(name: "Grpc-Metadata-hasleader", value: "true"))
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await http.stream(request, onOctets: onOctets)
        } catch {
            throw EtcdError(kind: .unavailable, reason: "\(endpoint): \(error)")
        }
        guard response.status == 200 else {
            let error = Self.error(response, endpoint)
            if error.kind == .unauthenticated { forget(credential) }
            throw error
        }
    }

    /// Asks one member after the other until one answers or the time is over.
    nonisolated(nonsending) func answer(
        _ path: String, _ body: [UInt8], within limit: Duration
    ) async throws(EtcdError) -> [UInt8] {
        let limit = min(limit, timeout)
        let deadline = ContinuousClock.now + limit
        let attempts = max(2, min(endpoints.count + 1, 4))
        var attempt = 0
        var renewals = 0
        var last = EtcdError(kind: .unavailable, reason: "no answer within \(limit)")
        while attempt < attempts {
            let now = ContinuousClock.now
            let left = now.duration(to: deadline)
            guard left > .zero, !Task.isCancelled else { break }
            let (index, endpoint) = state.withLock { ($0.current, endpoints[$0.current]) }
            // If there are other members, each gets only a part of the time.
            let share = endpoints.count == 1 ? left : max(left / (attempts - attempt), .milliseconds(100))
            var credential: Credential?
            do throws(EtcdError) {
                credential = try await currentCredential(within: share)
                var request = request(endpoint, path, body, credential)
                request.timeout = ContinuousClock.now.duration(to: now + share)
                request.connectTimeout = request.timeout ?? share
                let response = try await send(request, endpoint)
                if response.status == 200 { return response.body }
                throw Self.error(response, endpoint)
            } catch {
                last = error
                switch error.kind {
                case .unauthenticated where !username.isEmpty && renewals < Self.maximumRenewals:
                    renewals += 1
                    forget(credential)
                case .unavailable, .exhausted:
                    attempt += 1
                    // Behind a balancer, a new connection may reach another member, and a kept one may lead nowhere.
                    http.distrustConnections(to: endpoint)
                    // Another caller may have moved on to the next member already.
                    state.withLock { state in
                        if state.current == index { state.current = (index + 1) % endpoints.count }
                    }
                default: throw error
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

    private func request(
        _ endpoint: String, _ path: String, _ body: [UInt8], _ credential: Credential?
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "\(endpoint)/v3/\(path)")
        request.body = body
        request.maximumBodyOctets = Self.maximumBodyOctets
        request.fields = [HTTPClientRequest.Field(name: "Content-Type", value: "application/json")]
        if case .token(let token) = credential {
            request.fields.append(HTTPClientRequest.Field(name: "Authorization", value: token))
        }
        return request
    }

    private static let authentication = "auth/authenticate"

    /// The credential to send, which is requested from etcd if unknown; `nil`: no user is configured.
    private nonisolated(nonsending) func currentCredential(within limit: Duration) async throws(EtcdError)
        -> Credential?
    {
        if username.isEmpty { return nil }
        if let credential = state.withLock({ $0.credential }) { return credential }
        let body = EtcdMessage.authenticate(username: username, password: password)
        let endpoint = endpoint
        var request = request(endpoint, Self.authentication, body, nil)
        request.timeout = limit
        request.connectTimeout = limit
        let response = try await send(request, endpoint)
        let credential = try Self.credential(response, endpoint)
        state.withLock { $0.credential = credential }
        return credential
    }

    /// The credential in the answer to an authentication.
    private static func credential(_ response: HTTPClientResponse, _ endpoint: String) throws(EtcdError) -> Credential {
        guard response.status == 200 else {
            let error = error(response, endpoint)
            // No token is needed until etcd says that a user name is missing.
            if error.kind == .authenticationDisabled { return .none }
            throw error
        }
        guard let json = try? JSONParser.parse(response.body), let token = try EtcdResponse(json).token else {
            throw EtcdError(kind: .rejected, reason: "\(endpoint): no token in the answer to the authentication")
        }
        return .token(token)
    }

    /// Drops a credential, so that the next call gets a new one, unless another call has replaced it already.
    private func forget(_ credential: Credential?) {
        state.withLock { state in
            if state.credential == credential { state.credential = nil }
        }
    }

    private static func error(_ response: HTTPClientResponse, _ endpoint: String) -> EtcdError {
        var error = EtcdError(body: response.body, status: response.status)
        error.reason = "\(endpoint): \(error.reason)"
        return error
    }
}
