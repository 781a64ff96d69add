/// The faults of a storm, one after the other at times that the seed decides.
final class FaultSequence<Fault: CaseIterable & Equatable> {
    private let world: World
    /// The faults of this seed. With all of them at once, each would seldom find something to disturb.
    private let faults: [Fault]
    private(set) var isOver = false

    init(_ world: World) {
        self.world = world
        faults = Fault.allCases.filter { _ in world.random.once(in: 2) }
    }

    func contains(_ fault: Fault) -> Bool { faults.contains(fault) }

    /// - Parameter happen: makes a fault happen.
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
