import NIOCore

/// Where the parts of an event are in the text of its block.
///
///     id: 5f0c…-17
///     event: status
///     data: {"reason":"check","detail":"http","index":17,…}
///
struct EventPlace: Sendable {
    /// Where it begins, with `id`.
    var start: UInt32
    /// Where `event` begins.
    var event: UInt32
    /// Where `data` begins.
    var data: UInt32
    /// Where the data continue behind the reason.
    var rest: UInt32
    /// Where the next one begins.
    var end: UInt32
}

extension ByteBuffer {
    /// A comment, which keeps the connection and all between its ends awake, and the position that a reader may resume
    /// at: an event without data is none, but its `id` counts.
    mutating func writeKeepAlive(_ position: FeedPosition) {
        writeString(":\nid: \(position.text)\n\n")
    }

    /// The line that names an event.
    mutating func writeEvent(_ event: FeedEvent) {
        writeString("event: \(event.rawValue)\n")
    }

    /// An event that tells of the reader's state.
    ///
    /// - Parameter data: JSON without line feeds.
    mutating func writeNotice(_ event: String, _ data: String, at position: FeedPosition? = nil) {
        if let position { writeString("id: \(position.text)\n") }
        writeString("event: \(event)\ndata: \(data)\n\n")
    }

    /// An instance that is there already.
    mutating func writeInstance(_ registered: RegisteredInstance) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.eventInstance(registered)
        writer.endObject()
        writeString("event: instance\ndata: ")
        writeBytes(writer.octets)
        writeString("\n\n")
    }

    /// A service's policy that is there already.
    mutating func writePolicy(_ policy: ServicePolicy, of name: String) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("name")
        writer.string(name)
        writer.member("policy")
        writer.policy(policy)
        writer.endObject()
        writeEvent(.policy)
        writeString("data: ")
        writeBytes(writer.octets)
        writeString("\n\n")
    }

    /// A change.
    ///
    /// - Parameters:
    ///   - prefix: how the texts of the feed's positions begin.
    ///   - time: when it was published.
    /// - Returns: where its parts are.
    mutating func write(_ change: FeedChange, positionPrefix prefix: String, time: WallTime) -> EventPlace {
        let start = UInt32(writerIndex)
        writeString("id: ")
        writeString(prefix)
        writeString(change.index.description)
        writeString("\n")
        let event = UInt32(writerIndex)
        writeEvent(change.entry.event)
        let data = UInt32(writerIndex)
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("reason")
        writer.string(change.reason.name)
        if let detail = change.reason.detail {
            writer.member("detail")
            writer.string(detail)
        }
        writeString("data: ")
        let rest = UInt32(writerIndex + writer.octets.count)
        writer.member("index")
        writer.integer(change.index)
        writer.member("time")
        writer.time(time)
        switch change.subject {
        case .instance(let registered): writer.eventInstance(registered)
        case .policy(let name, let policy):
            writer.member("name")
            writer.string(name)
            writer.member("policy")
            if let policy { writer.json(policy) } else { writer.null() }
        }
        writer.endObject()
        writeBytes(writer.octets)
        writeString("\n\n")
        return EventPlace(start: start, event: event, data: data, rest: rest, end: UInt32(writerIndex))
    }
}

extension JSONWriter {
    /// An instance as a GET shows it, and what only another server needs, as members of the object being written.
    fileprivate mutating func eventInstance(_ registered: RegisteredInstance) {
        member("sequence")
        integer(registered.instance.sequence)
        member("id_origin")
        string(registered.instance.idOrigin.rawValue)
        member("instance")
        instance(registered)
    }
}
