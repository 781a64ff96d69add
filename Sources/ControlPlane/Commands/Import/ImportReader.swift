/// What a file that is imported may be.
public enum ImportFormat: String, CaseIterable, Sendable {
    /// Instances as the API lists them, or an array or a sequence of them.
    case json
    case csv
    /// What Consul's HTTP API answers.
    case consul
    /// What `etcdctl get -w json` prints of CoreDNS' tree.
    case skydns
}

/// Finds the items in a text as its octets come. If no format is given, the text must tell: JSON begins with a bracket,
/// and the members of its items are those of one format only; a first row that names our columns is CSV.
struct ImportReader {
    private enum Text {
        case unknown
        case json(JSONItemSplitter)
        case csv(CSVReader, header: [String]?)
    }

    private let format: ImportFormat?
    private let defaults: ImportDefaults
    private let skyDNS: SkyDNSInstances?
    private var text = Text.unknown

    /// - Parameters:
    ///   - format: `nil`: the text must tell.
    ///   - skyDNS: how keys of CoreDNS' tree are read; `nil`: there are none.
    init(format: ImportFormat?, defaults: ImportDefaults, skyDNS: SkyDNSInstances?) {
        self.format = format
        self.defaults = defaults
        self.skyDNS = skyDNS
        switch format {
        case .csv: text = .csv(CSVReader(), header: nil)
        case .json, .consul, .skydns: text = .json(JSONItemSplitter())
        case nil: break
        }
    }

    /// Takes in some octets.
    mutating func take(_ piece: [UInt8]) throws(CommandFailure) -> [ImportItem] {
        if case .unknown = text {
            let begun = piece.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
            guard let begun else { return [] }
            let isJSON = begun == UInt8(ascii: "{") || begun == UInt8(ascii: "[")
            text = isJSON ? .json(JSONItemSplitter()) : .csv(CSVReader(), header: nil)
        }
        switch text {
        case .unknown: return []
        case .json(var splitter):
            defer { text = .json(splitter) }
            let items: [JSONItemSplitter.Item]
            do throws(JSONItemSplitter.Failure) {
                items = try splitter.take(piece)
            } catch {
                throw CommandFailure("line \(error.line): \(error.problem)")
            }
            return items.flatMap { self.items($0) }
        case .csv(var reader, var header):
            defer { text = .csv(reader, header: header) }
            do throws(CSVReader.Failure) {
                return try rows(reader.take(piece), &header)
            } catch {
                throw CommandFailure("line \(error.line): \(error.problem)")
            }
        }
    }

    /// Ends the text.
    mutating func finish() throws(CommandFailure) -> [ImportItem] {
        switch text {
        case .unknown: return []
        case .json(let splitter):
            do throws(JSONItemSplitter.Failure) {
                try splitter.finish()
                return []
            } catch {
                throw CommandFailure("line \(error.line): \(error.problem)")
            }
        case .csv(var reader, var header):
            do throws(CSVReader.Failure) {
                return try rows([try reader.finish()].compactMap(\.self), &header)
            } catch {
                throw CommandFailure("line \(error.line): \(error.problem)")
            }
        }
    }

    private func rows(_ rows: [CSVReader.Row], _ header: inout [String]?) throws(CSVReader.Failure) -> [ImportItem] {
        var items: [ImportItem] = []
        for row in rows {
            guard let names = header else {
                let names = row.fields.map { $0.lowercased() }
                if let problem = CSVInstances.problem(withHeader: names) {
                    let advice = format == nil ? "; if it is no CSV, --format says what it is" : ""
                    throw CSVReader.Failure(line: row.line, problem: problem + advice)
                }
                header = names
                continue
            }
            items.append(
                ImportItem(
                    place: "line \(row.line)", registration: CSVInstances.instance(row.fields, header: names).map(own)))
        }
        return items
    }

    /// The items of a piece of JSON: one, or all services of a Consul agent.
    private func items(_ item: JSONItemSplitter.Item) -> [ImportItem] {
        let place = "line \(item.line)"
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(item.octets)
        } catch {
            let line = item.line + error.line - 1
            return [ImportItem(place: "line \(line)", registration: .failure(ImportRefusal(error.problem)))]
        }
        guard case .object = value else {
            let refusal = ImportRefusal("must be an object, not \(value.kind)")
            return [ImportItem(place: place, registration: .failure(refusal))]
        }
        let reading = JSONReading(value)
        switch format {
        case .json, .csv: return [ImportItem(place: place, registration: .success(own(value)))]
        case .consul: return consul(reading, place) ?? [unknown(place, "no service of Consul's")]
        case .skydns: return [skyDNS?.item(reading) ?? unknown(place, "no key and value of etcd")]
        case nil: break
        }
        if !reading["name"].isMissing { return [ImportItem(place: place, registration: .success(own(value)))] }
        if let items = consul(reading, place) { return items }
        if reading["key"].text != nil, reading["value"].text != nil {
            return [skyDNS?.item(reading) ?? unknown(place, "a key of etcd: --zone says which names become services")]
        }
        return [ImportItem(place: place, registration: .success(own(value)))]
    }

    private func consul(_ reading: JSONReading, _ place: String) -> [ImportItem]? {
        ConsulInstances(defaults: defaults).registrations(reading)?.map {
            ImportItem(place: place, registration: $0)
        }
    }

    private func unknown(_ place: String, _ reason: String) -> ImportItem {
        ImportItem(place: place, registration: .failure(ImportRefusal(reason)))
    }

    /// An instance of our own format: what the server does not take from a client is left to it.
    private func own(_ value: JSONValue) -> JSONValue {
        guard case .object(let members) = value else { return value }
        return .object(defaults.filled(members, ttl: defaults.ttl))
    }
}
