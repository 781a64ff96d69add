import Engine

/// What health checks find at each address.
final class SimulatedTargets {
    enum State: CaseIterable {
        case up
        /// Connections are refused.
        case down
        /// Connections are accepted, and then nothing comes.
        case silent
    }

    private let world: World
    private var states: [IPAddress: State] = [:]

    init(_ world: World) { self.world = world }

    subscript(address: IPAddress) -> State { states[address] ?? .up }

    /// Puts a target into another state, or the same.
    func change(_ address: IPAddress) {
        let state = State.allCases[world.random.below(State.allCases.count)]
        states[address] = state
        world.note("the target \(address) is \(state)")
    }

    /// A target works from now on.
    func recover(_ address: IPAddress) { states[address] = .up }
}
