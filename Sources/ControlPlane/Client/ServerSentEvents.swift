/// Reads a stream of server-sent events (HTML, "Server-sent events") as its octets come.
struct ServerSentEvents {
    struct Event: Equatable {
        var name: String
        var data: [UInt8]
        /// The last `id` up to here.
        var id: String
    }

    /// The most octets of an event: an instance has 16 KiB of metadata, and outputs of checks.
    static let maximumOctets = 1 << 20

    /// The last `id`, which the stream can be resumed at.
    private(set) var lastID = ""
    private var line: [UInt8] = []
    private var name = ""
    private var data: [UInt8] = []
    private var hasData = false

    /// - Parameter id: the last one of the stream before.
    init(resumingAt id: String = "") {
        lastID = id
    }

    /// Takes in some octets.
    ///
    /// - Returns: the events that they complete; `nil`: an event is too long.
    mutating func take(_ octets: [UInt8]) -> [Event]? {
        var events: [Event] = []
        for octet in octets {
            guard octet == 0x0A else {
                line.append(octet)
                if line.count + data.count > Self.maximumOctets { return nil }
                continue
            }
            if line.last == 0x0D { line.removeLast() }
            if line.isEmpty {
                if hasData { events.append(Event(name: name.isEmpty ? "message" : name, data: data, id: lastID)) }
                (name, data, hasData) = ("", [], false)
            } else {
                takeLine()
            }
            line.removeAll(keepingCapacity: true)
        }
        return events
    }

    private mutating func takeLine() {
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "event": name = String(decoding: value, as: UTF8.self)
        case "id": lastID = String(decoding: value, as: UTF8.self)
        case "data":
            if hasData { data.append(0x0A) }
            data += value
            hasData = true
        default: break
        }
    }
}
