import HTTPTypes
import NIOCore

extension APIHandler {
    /// `GET /api/v1/backup`
    func backup(_ request: Endpoint.Request) async -> ServerResponse {
        guard let past = await registry.past() else {
            return .busy("\(PastViews.maximumCount) backups are being made at the moment: try again when they are done")
        }
        let stream = BackupStream(past, version: state.version, createdAt: time.now().wall, threads: snapshots)
        var response = ServerResponse(status: .ok, contentType: BackupFormat.contentType)
        response.stream = StreamedBody(partTimeout: .seconds(60)) { writer in try await stream.run(writer) }
        response.fields.append(HTTPField(name: .cacheControl, value: "no-store"))
        return response.at(index: past.index)
    }

    /// `POST /api/v1/restore`
    func restore(_ request: Endpoint.Request) -> Result<any BodyReceiver, ResponseError> {
        func refuse(_ response: ServerResponse) -> Result<any BodyReceiver, ResponseError> {
            .failure(ResponseError(response))
        }
        let merges: Bool
        do throws(InvalidFields) {
            merges = try RestoreQuery(request.target).merges
        } catch {
            return refuse(.invalid(error))
        }
        if !merges, !registry.isEmpty { return refuse(.notEmpty(registry)) }
        guard let pass = restoreGate.enter() else {
            return refuse(.problem(.conflict, "another backup is being restored: wait until that is done"))
        }
        do throws(SpoolFile.Failure) {
            return .success(
                Restore(
                    registry: registry, spool: try SpoolFile(in: spoolFolders),
                    rules: BackupReader.Rules(decoder: decoder, client: request.client), merges: merges,
                    requester: request.requester, pass: pass))
        } catch {
            return refuse(.spoolFailed(error))
        }
    }
}

extension ServerResponse {
    /// 409 for a restore without `merge`.
    static func notEmpty(_ registry: Registry) -> ServerResponse {
        let there = BackupCounts(policies: registry.policies().count, instances: registry.summary().counts.total)
        return problem(
            .conflict,
            "the registry is not empty: it has \(there.words). With --merge (merge=true) these stay, except where the "
                + "backup has the same id or service")
    }

    /// 507 or 503 for a temporary file that can't be written.
    static func spoolFailed(_ failure: SpoolFile.Failure) -> ServerResponse {
        guard failure.isFull else {
            return busy("the backup can't be kept while it is checked, so nothing was changed: \(failure)")
        }
        return problem(
            HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"),
            "the backup has no room while it is checked, so nothing was changed: \(failure); make room there")
    }

    /// 422 for a backup that can't be restored.
    static func unusable(_ problem: BackupProblem) -> ServerResponse {
        let detail = "nothing was changed, for the backup can't be restored: \(problem)"
        return .problem(.unprocessableContent, detail, errors: [FieldError(field: "", message: detail)])
    }
}
