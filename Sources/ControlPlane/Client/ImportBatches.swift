/// What takes in the items of an import.
protocol ImportSink {
    /// Takes in some items, in their order.
    func add(_ items: [ImportItem]) async throws

    /// Takes in nothing more.
    func finish() async throws
}

/// Registers items in batches.
final class ImportBatches: ImportSink {
    /// The most items of a batch: a fraction of what the server takes, so that others get their turn.
    private static let maximumItems = 2000
    /// The most octets of a batch: half of what the server takes.
    private static let maximumOctets = 8 << 20
    /// The most octets of an item: as many as the server takes on its own.
    static let maximumItemOctets = 1 << 20
    private static let timeout = Duration.seconds(60)

    private let api: APIClient
    private let report: ImportReport
    private var items: [ImportItem] = []
    private var body: [UInt8] = []

    init(_ api: APIClient, _ report: ImportReport) {
        self.api = api
        self.report = report
    }

    func add(_ items: [ImportItem]) async throws {
        for item in items {
            switch item.registration {
            case .failure(let refusal): report.refuse(item, refusal)
            case .success(let value):
                let octets = value.encoded
                guard octets.count <= Self.maximumItemOctets else {
                    report.refuse(item, ImportRefusal("has more than \(Self.maximumItemOctets) octets"))
                    continue
                }
                if self.items.count == Self.maximumItems || body.count + octets.count > Self.maximumOctets {
                    try await send()
                }
                body += self.items.isEmpty ? Array(#"{"register":["#.utf8) : [UInt8(ascii: ",")]
                body += octets
                self.items.append(item)
            }
        }
    }

    func finish() async throws {
        try await send()
    }

    private func send() async throws {
        if items.isEmpty { return }
        let answer = try await api.send(
            .post, "/api/v1/services/batch", body: .json(body + Array("]}".utf8)),
            timeout: max(api.access.timeout, Self.timeout))
        let results = try api.json(answer)["results"].elements
        guard results.count == items.count else {
            throw CommandFailure("\(api.access.url): \(results.count) results for \(items.count) items")
        }
        for (item, result) in zip(items, results) {
            switch result["status"].number {
            case 200, 201:
                report.count(isNew: result["status"].number == 201)
                if item.isDraining, let id = result["id"].text { try await drain(item, id) }
            default: report.refuse(item, ImportRefusal(Self.reasons(result)))
            }
        }
        (items, body) = ([], [])
        report.showProgress()
    }

    /// What was draining where it comes from gets no traffic here either.
    private func drain(_ item: ImportItem, _ id: String) async throws {
        do throws(CommandFailure) {
            let body = Array(#"{"draining":true}"#.utf8)
            _ = try await api.send(.patch, APIClient.path("services", id), body: .json(body))
        } catch {
            guard error.status != nil else { throw error }
            report.refuse(item, ImportRefusal("is registered, but can't be drained: \(error)"))
        }
    }

    private static func reasons(_ result: JSONReading) -> String {
        let reasons = result["errors"].elements.map { error in
            [error["field"].text ?? "", error["message"].text ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
        }
        return reasons.isEmpty ? "status \(result["status"].shown)" : reasons.joined(separator: ", ")
    }
}
