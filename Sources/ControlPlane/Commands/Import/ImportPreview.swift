import Engine

/// Says what an import would do, and changes nothing. It judges items by the code by which the server does; what only
/// the server knows (its networks and limits, and what the token may) is left out.
final class ImportPreview: ImportSink {
    private let decoder = RegistrationDecoder()
    private let report: ImportReport
    private let client: IPAddress?
    /// The ids of instances that would be there.
    private var ids: Set<String> = []

    /// Reads which instances there are.
    init(_ api: APIClient, _ report: ImportReport) async throws {
        self.report = report
        // Whoever asks a server at a loopback address comes from one.
        let rest = api.access.url.drop { $0 != "/" }.dropFirst(2)
        let host = Authority(rest.prefix { $0 != "/" })?.host
        let loopback = IPAddress("127.0.0.1")
        client =
            switch host {
            case .name("localhost"): loopback
            case .address(let address) where address.isLoopback: loopback
            default: nil
            }
        var ids: Set<String> = []
        try await PagedList.services(api).read { instances in
            for instance in instances { if let id = instance["id"].text { ids.insert(id) } }
            return true
        }
        self.ids = ids
    }

    func add(_ items: [ImportItem]) async throws {
        var lines = ""
        for item in items {
            switch item.registration {
            case .failure(let refusal): report.refuse(item, refusal)
            case .success(let value):
                do throws(InvalidFields) {
                    let registration = try decoder.registration(value, .from(client))
                    let isNew = ids.insert(registration.id).inserted
                    report.count(isNew: isNew)
                    let address = InstanceText.address(JSONReading(value))
                    lines += "\(item.place): \(isNew ? "register" : "replace") \(registration.name) \(address)\n"
                } catch {
                    let reasons = error.errors.map { $0.field.isEmpty ? $0.message : "\($0.field) \($0.message)" }
                    report.refuse(item, ImportRefusal(reasons.joined(separator: "; ")))
                }
            }
        }
        report.clear()
        try StandardOutput.write(lines)
    }

    func finish() async throws {}
}
