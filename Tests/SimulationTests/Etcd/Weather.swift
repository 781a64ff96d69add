/// The state of the network between the nodes and etcd. It is drawn from the seed, some of it for ever, some for a
/// while.
final class Weather {
    /// How many calls in a thousand are slow, lost and doubled.
    struct Climate {
        var slow = 0
        var lost = 0
        var doubled = 0
    }

    private unowned let world: World
    var climate = Climate()
    /// For each node, the time until which nothing passes to or from it.
    private var cutUntil: [Int: Microseconds] = [:]

    init(_ world: World) { self.world = world }

    func cut(_ node: Int, for time: Microseconds) { cutUntil[node] = world.now + time }

    /// From now on the network is in order.
    func clear() {
        climate = Climate()
        cutUntil = [:]
    }

    func isCut(_ node: Int) -> Bool { cutUntil[node, default: 0] > world.now }

    /// How long a call takes; `nil`: it is lost.
    func delay(from node: Int) -> Microseconds? {
        if isCut(node) || world.random.happens(climate.lost) { return nil }
        return ordinaryDelay
    }

    /// How long something takes on a connection, which loses nothing but may have to wait.
    func latency(to node: Int) -> Microseconds {
        max(0, cutUntil[node, default: 0] - world.now) + ordinaryDelay
    }

    private var ordinaryDelay: Microseconds {
        if world.random.happens(climate.slow) { return world.random.within(.milliseconds(20) ... .milliseconds(2500)) }
        return world.random.within(100...4000)
    }

    func doubles() -> Bool { world.random.happens(climate.doubled) }
}
