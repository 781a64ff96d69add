import Synchronization

/// Tells tasks when others are done.
final class Countdown: Sendable {
    private let left: Atomic<Int>

    /// It is over after this many calls of ``step()``.
    init(_ count: Int = 1) {
        left = Atomic(count)
    }

    var isOver: Bool { left.load(ordering: .acquiring) <= 0 }

    func step() {
        left.subtract(1, ordering: .releasing)
    }
}
