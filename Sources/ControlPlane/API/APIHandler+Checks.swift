import HTTPTypes
import NIOCore

extension APIHandler {
    /// `PUT /api/v1/services/{id}/checks/{name}`
    func report(_ request: Endpoint.Request) async -> ServerResponse {
        let (id, check) = (request.id, request.variables.last ?? "")
        do {
            let report = try CheckReport(Self.json(request.body), check: check, time: request.arrival.wall)
            let outcome = try await registry.report(id: id, report, by: request.requester)
            if case .denied(let denial) = outcome { return denied(denial, request) }
            if case .unknownCheck = outcome {
                return .problem(.notFound, "the instance has no check with the name '\(check)'")
            }
            guard case .reported(let registered) = outcome else { return .unknownInstance(id) }
            checks?.note(report, ofInstance: id)
            return instance(registered)
        } catch {
            return Self.response(to: error)
        }
    }

    /// `POST /api/v1/services/drain` and `/undrain`
    func drain(_ request: Endpoint.Request, _ isDraining: Bool) async -> ServerResponse {
        do {
            let selection = try DrainSelection(Self.json(request.body))
            let requester = request.requester
            if case .service(let name, _) = selection, !requester.mayChange(name) {
                return denied(.service(name), request)
            }
            // A host's instances are looked for among all.
            let found = await largeAnswers.run {
                selection.changes(registry, isDraining: isDraining, by: requester)
            }
            guard let found else { return .busy("too many long lists are asked for at once") }
            // A host is drained as a whole, or not at all.
            if let denial = found.denial { return denied(denial, request) }
            let outcomes = try await registry.submit(found.commands, by: requester)
            let changed = outcomes.count { if case .patched = $0 { true } else { false } }
            // Some may have moved to other services meanwhile.
            note(outcomes.compactMap { if case .denied(let denial) = $0 { denial } else { nil } }, request)
            if isDraining {
                await registry.forgetExpired(ofService: selection.service) {
                    selection.includes($0) && requester.mayChange($0.name)
                }
            }
            return .json(capacity: 32) { writer in
                writer.beginObject()
                writer.member("changed")
                writer.integer(changed)
                writer.endObject()
            }
        } catch {
            return Self.response(to: error)
        }
    }
}
