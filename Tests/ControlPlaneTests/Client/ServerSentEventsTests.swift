import Testing

@testable import ControlPlane

/// Server-sent events are read wherever their octets are cut.
@Suite struct ServerSentEventsTests {
    @Test func `events, comments and ids are read`() {
        let text = ":\nid: 5-1\n\nid: 5-2\nevent: status\ndata: {\"a\":\ndata:1}\n\nevent: live\r\ndata: x\r\n\r\ndata"
        for length in [1, 3, 1000] {
            var events = ServerSentEvents()
            var found: [ServerSentEvents.Event] = []
            let octets = Array(text.utf8)
            for start in stride(from: 0, to: octets.count, by: length) {
                found += events.take(Array(octets[start..<min(octets.count, start + length)])) ?? []
            }
            #expect(
                found == [
                    ServerSentEvents.Event(name: "status", data: Array("{\"a\":\n1}".utf8), id: "5-2"),
                    ServerSentEvents.Event(name: "live", data: Array("x".utf8), id: "5-2"),
                ])
            #expect(events.lastID == "5-2")
        }
    }

    @Test func `an id without an event is one to resume at`() {
        var events = ServerSentEvents(resumingAt: "5-1")
        #expect(events.lastID == "5-1")
        #expect(events.take(Array(":\nid: 5-9\n\n".utf8)) == [] && events.lastID == "5-9")
    }

    @Test func `an event has a limit`() {
        var events = ServerSentEvents()
        #expect(events.take([UInt8](repeating: 0x61, count: ServerSentEvents.maximumOctets)) != nil)
        #expect(events.take([0x61]) == nil)
    }
}
