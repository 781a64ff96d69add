/// The body of `POST /api/v1/services/batch`.
struct BatchRequest: Sendable {
    /// The most items in a batch.
    static let maximumItems = 10_000
    /// With more errors than this in all items together, each further item reports only its first.
    static let maximumErrors = 1000

    /// One item: what to do, or why it can't be done. A wrong item does not affect the others.
    typealias Item = Result<RegistryCommand, InvalidFields>

    /// Registrations first, then the others, each in the order given.
    var items: [Item]
}

/// The body of `POST /api/v1/heartbeats`.
struct HeartbeatsRequest: Sendable {
    /// The most ids in a request.
    static let maximumIDs = 10_000

    var ids: [String]
}

extension RegistrationDecoder {
    /// The body of a batch.
    func batch(_ value: JSONValue, _ source: Source = .store) throws(InvalidFields) -> BatchRequest {
        var errors: [FieldError] = []
        let arrays = arrays(of: ["register", "deregister"], in: value, &errors)
        let registrations = arrays["register"] ?? []
        let deregistrations = arrays["deregister"] ?? []
        if registrations.count + deregistrations.count > BatchRequest.maximumItems {
            errors.note(FieldError(field: "", message: "must not have more than \(BatchRequest.maximumItems) items"))
        }
        if !errors.isEmpty { throw InvalidFields(errors: errors) }
        var items: [BatchRequest.Item] = []
        items.reserveCapacity(registrations.count + deregistrations.count)
        var errorCount = 0
        for value in registrations {
            do throws(InvalidFields) {
                items.append(.success(.register(try registration(value, source))))
            } catch {
                errorCount += error.errors.count
                let isTooMuch = errorCount > BatchRequest.maximumErrors
                items.append(.failure(InvalidFields(errors: isTooMuch ? Array(error.errors.prefix(1)) : error.errors)))
            }
        }
        for value in deregistrations {
            if case .string(let id) = value {
                items.append(.success(.deregister(id: id)))
            } else {
                let error = FieldError(field: "", message: "must be a string, not \(value.kind)")
                items.append(.failure(InvalidFields(errors: [error])))
            }
        }
        return BatchRequest(items: items)
    }

    /// The body of `POST /api/v1/heartbeats`.
    func heartbeats(_ value: JSONValue) throws(InvalidFields) -> HeartbeatsRequest {
        var errors: [FieldError] = []
        let arrays = arrays(of: ["ids"], in: value, &errors)
        if errors.isEmpty, arrays["ids"] == nil { errors.note(FieldError(field: "ids", message: "is required")) }
        let values = arrays["ids"] ?? []
        if values.count > HeartbeatsRequest.maximumIDs {
            let message = "must not have more than \(HeartbeatsRequest.maximumIDs) elements"
            errors.note(FieldError(field: "ids", message: message))
        }
        if !errors.isEmpty { throw InvalidFields(errors: errors) }
        var ids: [String] = []
        ids.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            if case .string(let id) = value {
                ids.append(id)
            } else {
                errors.note(FieldError(field: "ids[\(index)]", message: "must be a string, not \(value.kind)"))
            }
        }
        if !errors.isEmpty { throw InvalidFields(errors: errors) }
        return HeartbeatsRequest(ids: ids)
    }

    /// The members of an object whose members are all arrays.
    private func arrays(
        of names: Set<String>,
        in value: JSONValue,
        _ errors: inout [FieldError]
    ) -> [String: [JSONValue]] {
        guard case .object(let members) = value else {
            errors.note(FieldError(field: "", message: "must be an object, not \(value.kind)"))
            return [:]
        }
        var arrays: [String: [JSONValue]] = [:]
        for member in members {
            if !names.contains(member.name) {
                errors.note(FieldError(field: member.name, message: "unknown field"))
            } else if case .array(let elements) = member.value {
                arrays[member.name] = elements
            } else if !member.value.isNull {
                errors.note(FieldError(field: member.name, message: "must be an array, not \(member.value.kind)"))
            }
        }
        return arrays
    }
}
