import Engine

extension APIHandler {
    /// `DELETE /api/v1/cache`
    func removeFromCache(_ target: RequestTarget) -> ServerResponse {
        do throws(InvalidFields) {
            let selection = try CacheSelection(target)
            do throws(EngineError) {
                let removed = try cache.removeFromCache(selection.name, subtree: selection.subtree)
                return .json { writer in
                    writer.beginObject()
                    writer.member("removed")
                    writer.integer(removed)
                    writer.endObject()
                }
            } catch {
                throw InvalidFields(errors: [FieldError(field: "name", message: "is not a domain name")])
            }
        } catch {
            return .invalid(error)
        }
    }
}
