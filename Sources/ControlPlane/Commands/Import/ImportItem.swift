/// Something that was found in what is imported.
struct ImportItem {
    /// Where it was found: `line 7`, or a key.
    var place: String
    /// The body of a registration, or why it is none.
    var registration: Result<JSONValue, ImportRefusal>

    /// What it is called in messages: its place and its name.
    var title: String {
        guard case .success(let value) = registration else { return place }
        let instance = JSONReading(value)
        return instance["name"].text.map { "\(place) (\($0.escapingControls))" } ?? place
    }

    /// Whether it was draining where it comes from.
    var isDraining: Bool {
        guard case .success(let value) = registration else { return false }
        return JSONReading(value)["status"].text == "draining"
    }
}

/// Why something is not imported.
struct ImportRefusal: Error, Equatable {
    var reason: String
    /// Whether it is not meant to be imported. Otherwise something is wrong with it.
    var isSkipped: Bool

    init(_ reason: String, isSkipped: Bool = false) {
        self.reason = reason.escapingControls
        self.isSkipped = isSkipped
    }
}

/// What an import fills in where its source says nothing.
struct ImportDefaults: Sendable {
    /// In seconds; `nil`: for our own formats the server's, for others 0, since nobody sends heartbeats for them yet.
    var ttl: Int?
    var ip: String?
    var port: Int?

    /// The members of an instance with what is missing.
    func filled(_ members: [JSONMember], ttl: Int?) -> [JSONMember] {
        var members = members
        func fill(_ name: String, _ value: JSONValue?) {
            guard let value, JSONReading(.object(members))[name].isMissing else { return }
            members.removeAll { $0.name == name }
            members.append(JSONMember(name: name, value: value))
        }
        fill("ttl", ttl.map { .integer($0) })
        fill("ip", ip.map { .string($0) })
        fill("port", port.map { .integer($0) })
        return members
    }
}
