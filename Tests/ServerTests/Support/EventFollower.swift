import Foundation
import Testing

/// A client of the events, as a browser's EventSource is one: it applies each event to what it has.
final class EventFollower {
    /// An event as the stream has it.
    struct Event {
        var name: String
        /// The id after it, which is the last one that was sent.
        var id: String
        var data: [String: Any]

        var instance: [String: Any]? { data["instance"] as? [String: Any] }
        var instanceID: String? { instance?["id"] as? String }
        var reason: String? { data["reason"] as? String }
    }

    private let query: String
    private let fields: [String]
    private var connection: ClientSocket?
    private var received: [UInt8] = []
    private var hasHead = false
    /// What came of the body, without the framing of chunks.
    private var body: [UInt8] = []
    private var hasEnded = false
    /// Whether the server has reset the connection: on a busy machine a client may be too late for a proper end.
    private(set) var wasReset = false
    /// What to come back with.
    private(set) var lastID = ""
    /// The instances by their ids, without what heartbeats and the like change.
    private(set) var instances: [String: NSDictionary] = [:]
    /// The events of the present connection.
    private(set) var events: [Event] = []
    /// The head of the response.
    private(set) var head = ""

    /// - Parameters:
    ///   - query: of the URL, such as `snapshot=true`.
    ///   - fields: of each request, such as `Authorization: Bearer x`.
    init(_ query: String, fields: [String] = []) {
        self.query = query
        self.fields = fields
    }

    /// Connects, for the first time or again.
    func connect(to server: Endpoint, version: String = "1.1") throws {
        let socket = try ClientSocket(connectedTo: server, .tcp)
        var fields = ["GET /api/v1/events?\(query) HTTP/\(version)", "Host: localhost"] + self.fields
        if !lastID.isEmpty { fields.append("Last-Event-ID: \(lastID)") }
        try socket.send(Array((fields.joined(separator: "\r\n") + "\r\n\r\n").utf8))
        connection = socket
        (received, body, events, hasHead, head) = ([], [], [], false, "")
        (hasEnded, wasReset) = (false, false)
    }

    /// Goes away.
    func disconnect() { connection = nil }

    /// Applies events that are there, or come within a time.
    func drain(within milliseconds: Int32 = 0) throws {
        while !hasEnded, let connection, connection.isReadable(within: milliseconds) {
            do {
                let octets = try connection.receive()
                if octets.isEmpty { hasEnded = true }
                received += octets
                take()
            } catch let error as SocketError where error.code == ECONNRESET {
                (hasEnded, wasReset) = (true, true)
            }
        }
    }

    /// Applies events until some condition holds.
    func drain(until isEnough: ([Event]) -> Bool, at location: SourceLocation = #_sourceLocation) throws {
        try eventually("an event; so far: \(events.suffix(5)), \(head)", at: location) {
            try drain(within: 20)
            return isEnough(events)
        }
    }

    /// Whether the server has ended the stream; waits for that.
    func waitForEnd() throws {
        try eventually("the stream's end") {
            try drain(within: 20)
            return hasEnded
        }
    }

    private func take() {
        if !hasHead {
            guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
            received.removeSubrange(..<end.upperBound)
            hasHead = true
        }
        if head.lowercased().contains("transfer-encoding: chunked") {
            takeChunks()
        } else {
            body += received
            received = []
        }
        while let end = body.firstRange(of: Array("\n\n".utf8)) {
            read(String(decoding: body[..<end.lowerBound], as: UTF8.self))
            body.removeSubrange(..<end.upperBound)
        }
    }

    private func takeChunks() {
        while let end = received.firstRange(of: Array("\r\n".utf8)) {
            guard let length = Int(String(decoding: received[..<end.lowerBound], as: UTF8.self), radix: 16),
                received.count >= end.upperBound + length + 2
            else { return }
            body += received[end.upperBound..<end.upperBound + length]
            received.removeSubrange(..<(end.upperBound + length + 2))
        }
    }

    /// Reads a block of lines (HTML, server-sent events).
    private func read(_ block: String) {
        var name = ""
        var data = ""
        for line in block.split(separator: "\n") {
            if line.hasPrefix("id: ") { lastID = String(line.dropFirst(4)) }
            if line.hasPrefix("event: ") { name = String(line.dropFirst(7)) }
            if line.hasPrefix("data: ") { data = String(line.dropFirst(6)) }
        }
        if data.isEmpty { return }
        let json = (try? JSONSerialization.jsonObject(with: Data(data.utf8))) as? [String: Any]
        guard let json else {
            Issue.record("no JSON: \(data)")
            return
        }
        let event = Event(name: name, id: lastID, data: json)
        events.append(event)
        apply(event)
    }

    private func apply(_ event: Event) {
        if event.name == "reset" { instances = [:] }
        guard let id = event.instanceID, let instance = event.instance else { return }
        switch event.name {
        case "instance", "registered", "updated", "status": instances[id] = Self.lasting(instance)
        case "deregistered", "expired": instances[id] = nil
        default: Issue.record("unknown event: \(event)")
        }
    }

    /// An instance without what heartbeats, and checks that find the same again, change.
    static func lasting(_ instance: [String: Any]) -> NSDictionary {
        var lasting = instance.filter { $0.key != "last_heartbeat" && $0.key != "expires_at" }
        lasting["checks"] = (instance["checks"] as? [[String: Any]])?.map { check in
            check.filter { !["output", "duration_ms", "checked_at"].contains($0.key) }
        }
        return lasting as NSDictionary
    }
}

extension HTTPConnection {
    /// All instances of a list, without what heartbeats and the like change, by their ids.
    ///
    /// - Parameter filter: parameters, such as `name=orders`.
    func lasting(_ filter: String) throws -> [String: NSDictionary] {
        var all: [String: NSDictionary] = [:]
        var cursor = ""
        while true {
            let response = try request("GET", "/api/v1/services?limit=1000\(cursor)&\(filter)")
            let page = try #require(try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any])
            for instance in try #require(page["services"] as? [[String: Any]], "\(page)") {
                all[try #require(instance["id"] as? String)] = EventFollower.lasting(instance)
            }
            guard let next = page["next_cursor"] as? String else { return all }
            cursor = "&cursor=\(next)"
        }
    }
}
