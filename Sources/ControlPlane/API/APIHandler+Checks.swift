import HTTPTypes
import NIOCore

extension APIHandler {
    /// `PUT /api/v1/services/{id}/checks/{name}`
    ///
    /// - Parameter arrival: when its head was read from its connection.
    func report(_ id: String, check: String, _ body: ByteBuffer, arrival: Moment) async -> ServerResponse {
        do {
            let report = try CheckReport(Self.json(body), check: check, time: arrival.wall)
            let outcome = try await registry.report(id: id, report)
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
    func drain(_ body: ByteBuffer, _ isDraining: Bool) async -> ServerResponse {
        do {
            let selection = try DrainSelection(Self.json(body))
            // A host's instances are looked for among all.
            let commands = await largeAnswers.run { selection.commands(registry, isDraining: isDraining) }
            guard let commands else { return .busy("too many long lists are asked for at once") }
            let changed = try await registry.submit(commands).count { if case .patched = $0 { true } else { false } }
            if isDraining { await registry.forgetExpired(ofService: selection.service) { selection.includes($0) } }
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
