import CEvent
import Synchronization
import Testing

@testable import Engine

/// The messages of libevent about itself.
@Suite struct EventLibraryLogTests {
    private final class Messages: Sendable {
        let all = Mutex<[(isError: Bool, text: String)]>([])
    }

    @Test func `libevent's words come to the handler`() {
        let messages = Messages()
        EventLibraryLog.handle { isError, text in messages.all.withLock { $0.append((isError, text)) } }
        // Unsafe: an event base that is freed here; libevent refuses the event, and says why.
        let base = unsafe event_base_new()
        defer { unsafe event_base_free(base) }
        let event = unsafe event_new(base, 1, Int16(EV_SIGNAL | EV_READ), { _, _, _ in }, nil)
        #expect(unsafe event == nil)
        let found = messages.all.withLock { $0 }
        #expect(found.contains { !$0.isError && $0.text.contains("EV_SIGNAL") }, "\(found)")
    }
}
