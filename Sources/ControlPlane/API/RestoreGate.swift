import Synchronization

/// Lets one restore in at a time.
final class RestoreGate: Sendable {
    private let isTaken = Atomic(false)

    /// Whoever has it is in. It leaves when it is dropped.
    final class Pass: Sendable {
        private let gate: RestoreGate

        fileprivate init(_ gate: RestoreGate) { self.gate = gate }

        deinit { gate.isTaken.store(false, ordering: .releasing) }
    }

    /// - Returns: `nil` if somebody is in.
    func enter() -> Pass? {
        isTaken.exchange(true, ordering: .acquiring) ? nil : Pass(self)
    }
}
