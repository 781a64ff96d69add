/// The faults of a storm, one after the other at times that the seed decides.
final class FaultSequence<Fault: CaseIterable & Equatable> {
    private let world: World
    /// Those that this seed has: with all of them at once, little of what they are about would happen.
    private let faults: [Fault]
    private(set) var isOver = false

    init(_ world: World) {
        self.world = world
        faults = Fault.allCases.filter { _ in world.random.once(in: 2) }
    }

    func contains(_ fault: Fault) -> Bool { faults.contains(fault) }

    /// - Parameter happen: makes one happen.
    func begin(_ happen: @escaping (Fault) -> Void) {
        if isOver || faults.isEmpty { return }
        world.after(world.random.within(.milliseconds(100) ... .milliseconds(2500))) { [self] in
            if isOver { return }
            happen(faults[world.random.below(faults.count)])
            begin(happen)
        }
    }

    func end() {
        isOver = true
        world.note("the storm is over")
    }
}
