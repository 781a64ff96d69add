import CEvent

/// A libevent loop: each worker has one, and only its thread uses it.
@safe
final class EventLoop {
    /// Must not be touched on another thread: it is made without locks.
    let base: OpaquePointer
    /// Decides whose turn it is.
    var pace = WorkPace()

    /// - Throws: ``EngineError/resourceExhausted(_:)`` if the system has no epoll descriptor.
    init() throws(EngineError) {
        guard let configuration = unsafe event_config_new() else { throw .resourceExhausted("memory") }
        defer { unsafe event_config_free(configuration) }
        // Workers share nothing, so their events need no locks.
        unsafe event_config_set_flag(configuration, Int32(EVENT_BASE_FLAG_NOLOCK.rawValue))
        guard let base = unsafe event_base_new_with_config(configuration) else {
            throw .resourceExhausted("file descriptors")
        }
        guard unsafe event_base_priority_init(base, EventTarget.Priority.count) == 0 else {
            unsafe event_base_free(base)
            throw .resourceExhausted("memory")
        }
        unsafe self.base = base
    }

    deinit {
        unsafe event_base_free(base)
    }

    /// Handles events until ``stop()``.
    func run() {
        // Unsafe: the base lives as long as this object.
        unsafe event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY)
    }

    /// Notes that a piece of work other than UDP queries begins. After some of it the loop looks for events again, so
    /// that queries get their turn.
    func noteWork(now: MonotonicTime = .now) {
        pace.noteOtherTurn()
        pace.noteBegin(now)
        if pace.isLookDue(now) { unsafe event_base_loopcontinue(base) }
    }

    /// Ends ``run()`` after the event under way.
    func stop() {
        unsafe event_base_loopbreak(base)
    }

    /// Handles what is due without waiting: libevent closes a freed connection only in its loop.
    func runPending() {
        while unsafe event_base_get_num_events(base, UInt32(EVENT_BASE_COUNT_ACTIVE)) > 0 {
            unsafe event_base_loop(base, EVLOOP_NONBLOCK)
        }
    }

    /// The monotonic time.
    var now: ContinuousClock.Instant { ContinuousClock.now }
}

/// An object that handles the events of one descriptor or timer. The event lives as long as the object.
@safe
class EventTarget {
    /// The order of events that are due together.
    enum Priority: Int32 {
        /// Before all others.
        case first
        /// In the order of arrival.
        case other

        fileprivate static let count: Int32 = 2
    }

    private var event: OpaquePointer?
    /// Keeps the loop alive, because an event must be freed before its loop.
    private var loop: EventLoop?

    init() {}

    deinit {
        cancel()
    }

    /// Handles the event, on the loop's thread.
    func fire() {}

    /// Whether it exists until its loop has ended, whatever ``fire()`` does: then no reference is counted for an event.
    var outlivesLoop: Bool { false }

    /// Sets the priority from now on; must not be called while the event is pending.
    final func set(_ priority: Priority) {
        // Unsafe: the event belongs to this object.
        if let event = unsafe event { unsafe event_priority_set(event, priority.rawValue) }
    }

    /// Fires whenever `descriptor` is readable.
    final func watch(_ descriptor: Int32, on loop: EventLoop) throws(EngineError) {
        self.loop = loop
        try unsafe register(
            event_new(loop.base, descriptor, Int16(EV_READ | EV_PERSIST), callback, context), after: nil)
    }

    /// Fires once after `delay`; another call replaces the delay.
    final func schedule(after delay: Duration, on loop: EventLoop) throws(EngineError) {
        self.loop = loop
        if unsafe event == nil { unsafe event = event_new(loop.base, -1, 0, callback, context) }
        try unsafe register(event, after: delay)
    }

    /// Fires once in this round of the loop, after what is due already.
    final func activate(on loop: EventLoop) {
        self.loop = loop
        if unsafe event == nil { unsafe event = event_new(loop.base, -1, 0, callback, context) }
        // Unsafe: the event belongs to this object.
        if let event = unsafe event { unsafe event_active(event, Int32(EV_TIMEOUT), 1) }
    }

    /// Stops firing.
    final func cancel() {
        // Unsafe: event_free removes the event first, and nothing uses it afterwards.
        if let event = unsafe event { unsafe event_free(event) }
        unsafe event = nil
    }

    /// Unretained: the object frees its event before it goes.
    private var context: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

    private var callback: event_callback_fn { unsafe outlivesLoop ? onEventOfLasting : onEvent }

    private func register(_ event: OpaquePointer?, after delay: Duration?) throws(EngineError) {
        unsafe self.event = event
        guard let event = unsafe event else { throw .resourceExhausted("memory") }
        let added =
            if let delay {
                unsafe event_add_after(event, Int64(clamping: Nanoseconds(delay).count / 1000))
            } else {
                unsafe event_add(event, nil)
            }
        guard added == 0 else { throw .resourceExhausted("file descriptors") }
    }
}

@c private func onEvent(_ descriptor: Int32, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    // Unsafe: the object frees its event before it goes, so it exists. It is retained during the call, which may
    // release it.
    let target = unsafe Unmanaged<EventTarget>.fromOpaque(context).takeUnretainedValue()
    withExtendedLifetime(target) { target.fire() }
}

@c private func onEventOfLasting(_ descriptor: Int32, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    // Unsafe: the object exists until the loop has ended. No reference is counted, since this runs for every batch of
    // queries.
    unsafe Unmanaged<EventTarget>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.fire() }
}
