/// A timer that calls a closure.
final class TimerTarget: EventTarget {
    var action: () -> Void = {}

    override func fire() { action() }
}
