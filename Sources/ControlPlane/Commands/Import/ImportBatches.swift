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
    /// Those that wait, also refused ones: all are reported in their order.
    private var items: [ImportItem] = []
    private var body: [UInt8] = []

    init(_ api: APIClient, _ report: ImportReport) {
        self.api = api
        self.report = report
    }

    func add(_ items: [ImportItem]) async throws {
        for item in items {
            var item = item
            var octets: [UInt8] = []
            if case .success(let value) = item.registration { octets = value.encoded }
            if octets.count > Self.maximumItemOctets {
                item.registration = .failure(ImportRefusal("has more than \(Self.maximumItemOctets) octets"))
                octets = []
            }
            if self.items.count == Self.maximumItems || body.count + octets.count > Self.maximumOctets {
                try await send()
            }
            if !octets.isEmpty {
                body += body.isEmpty ? Array(#"{"register":["#.utf8) : [UInt8(ascii: ",")]
                body += octets
            }
            self.items.append(item)
        }
    }

    func finish() async throws {
        try await send()
    }

    private func send() async throws {
        var results: ArraySlice<JSONReading> = []
        if !body.isEmpty {
            let answer = try await api.send(
                .post, "/api/v1/services/batch", body: .json(body + Array("]}".utf8)),
                timeout: max(api.access.timeout, Self.timeout))
            results = try api.json(answer)["results"].elements[...]
        }
        for item in items {
            if case .failure(let refusal) = item.registration {
                report.refuse(item, refusal)
                continue
            }
            guard let result = results.popFirst() else {
                throw CommandFailure("\(api.access.url): there are fewer results than items")
            }
            switch result["status"].number {
            case 200, 201:
                report.count(isNew: result["status"].number == 201)
                if item.isDraining, let id = result["id"].text { try await drain(item, id) }
            default:
                let reasons = APIClient.reasons(result["errors"])
                report.refuse(item, ImportRefusal(reasons.isEmpty ? "status \(result["status"].shown)" : reasons))
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
}
