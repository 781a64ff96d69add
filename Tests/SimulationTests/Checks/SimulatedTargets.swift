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
    /// Nodes that reach none of them.
    private var cutOffNodes: Set<Int> = []

    init(_ world: World) { self.world = world }

    subscript(address: IPAddress) -> State { states[address] ?? .up }

    /// Puts a target into another state, or the same.
    func change(_ address: IPAddress) {
        let state = State.allCases[world.random.below(State.allCases.count)]
        states[address] = state
        world.note("the target \(address) is \(state)")
    }

    /// Whether a node reaches none of them.
    func isCutOff(_ node: Int) -> Bool { cutOffNodes.contains(node) }

    /// A node reaches none of them for a while.
    func cutOff(_ node: Int, for time: Microseconds) {
        guard cutOffNodes.insert(node).inserted else { return }
        world.note("node \(node): reaches no targets for \(time / 1000) ms")
        world.after(time) { [self] in cutOffNodes.remove(node) }
    }

    /// A target works from now on.
    func recover(_ address: IPAddress) { states[address] = .up }
}
