import CEvent
import Synchronization

/// libevent's own messages, for instance that it is out of descriptors. Without a handler they go to standard error.
public enum EventLibraryLog {
    /// Receives a message: whether it is an error, after which libevent may end the process, and the text.
    public typealias Handler = @Sendable (_ isError: Bool, _ text: String) -> Void

    private static let handler = Mutex<Handler?>(nil)

    /// Sets the handler for all further messages, which may come on any thread. Debug messages are left out.
    public static func handle(_ newHandler: @escaping Handler) {
        handler.withLock { $0 = newHandler }
        // Unsafe: the function exists as long as the program; the text is a C string that is valid during the call.
        unsafe event_set_log_callback { severity, text in
            guard severity != EVENT_LOG_DEBUG, let text = unsafe text else { return }
            EventLibraryLog.tell(isError: severity == EVENT_LOG_ERR, unsafe String(cString: text))
        }
    }

    private static func tell(isError: Bool, _ text: String) {
        handler.withLock { $0 }?(isError, text)
    }
}
