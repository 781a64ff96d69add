import HTTPTypes
import NIOCore

extension APIHandler {
    /// `GET /api/v1/names/{name}/policy`
    func policy(of name: String) -> ServerResponse {
        guard let name = try? PolicyFields.name(name), let policy = registry.policy(of: name) else {
            return Self.unknownPolicy(name)
        }
        return .json { $0.policy(policy) }
    }

    /// `PUT /api/v1/names/{name}/policy`
    func setPolicy(_ request: Endpoint.Request) async -> ServerResponse {
        do {
            let (name, policy) = try Self.named(request.id, Self.json(request.body))
            let outcome = try await registry.setPolicy(policy, of: name, by: request.requester)
            if case .refused(let limit) = outcome { return .refused(limit) }
            if case .denied(let denial) = outcome { return denied(denial, request) }
            return .json { $0.policy(policy) }
        } catch {
            return Self.response(to: error)
        }
    }

    /// `DELETE /api/v1/names/{name}/policy`
    func removePolicy(_ request: Endpoint.Request) async -> ServerResponse {
        do {
            guard let name = try? PolicyFields.name(request.id) else { return Self.unknownPolicy(request.id) }
            let outcome = try await registry.setPolicy(nil, of: name, by: request.requester)
            if case .denied(let denial) = outcome { return denied(denial, request) }
            guard case .policyRemoved = outcome else { return Self.unknownPolicy(request.id) }
            return .empty(.noContent)
        } catch {
            return Self.response(to: error)
        }
    }

    /// `POST /api/v1/names/{name}/release`
    func release(_ request: Endpoint.Request) async -> ServerResponse {
        do {
            let name = try PolicyFields.name(request.id)
            // Also if none is held, so that the answer does not depend on that.
            if !request.requester.mayChange(name) { return denied(.service(name), request) }
            let released = try await registry.release(name, by: request.requester)
            return .json { writer in
                writer.beginObject()
                writer.member("released")
                writer.integer(released)
                writer.endObject()
            }
        } catch {
            return Self.response(to: error)
        }
    }

    /// Name and policy of a request, or what is wrong with either.
    private static func named(_ name: String, _ body: JSONValue) throws(InvalidFields) -> (String, ServicePolicy) {
        var errors: [FieldError] = []
        do throws(InvalidFields) {
            let policy = try PolicyFields.policy(body)
            return (try PolicyFields.name(name), policy)
        } catch {
            errors = error.errors
        }
        // A bad policy does not hide a bad name.
        if (try? PolicyFields.policy(body)) == nil {
            do throws(InvalidFields) {
                _ = try PolicyFields.name(name)
            } catch {
                for each in error.errors { errors.note(each) }
            }
        }
        throw InvalidFields(errors: errors)
    }

    private static func unknownPolicy(_ name: String) -> ServerResponse {
        .problem(.notFound, "the service '\(name)' has no policy: the server's settings hold")
    }
}
