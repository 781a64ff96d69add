import CEvent
import Synchronization

/// What libevent has to say of itself: that it has no descriptor left, say. Without a handler it goes to standard
/// error.
public enum EventLibraryLog {
    /// Takes a message: whether it is an error, after which libevent may end the process, and the text.
    public typealias Handler = @Sendable (_ isError: Bool, _ text: String) -> Void

    private static let handler = Mutex<Handler?>(nil)

    /// Has a handler called with every message from now on, on any thread. Messages for debugging are left out.
    public static func handle(_ newHandler: @escaping Handler) {
        handler.withLock { $0 = newHandler }
        // Unsafe: the function is there as long as the program; the text is a C string for the time of the call.
        unsafe event_set_log_callback { severity, text in
            guard severity != EVENT_LOG_DEBUG, let text = unsafe text else { return }
            EventLibraryLog.tell(isError: severity == EVENT_LOG_ERR, unsafe String(cString: text))
        }
    }

    private static func tell(isError: Bool, _ text: String) {
        handler.withLock { $0 }?(isError, text)
    }
}
