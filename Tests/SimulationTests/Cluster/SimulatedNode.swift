@testable import ControlPlane

/// One node of the cluster, which may be killed and started again. Registry, committer, store and publisher are the
/// product's.
final class SimulatedNode {
    let number: Int
    private let cluster: Cluster
    /// The process that is running; `nil`: none is.
    private(set) var life: NodeLife?
    /// How many times a later start was planned. Only the latest plan counts.
    private var startCount = 0
    /// Processes that were killed. Their remaining tasks end without any effect.
    private var former: [NodeLife] = []

    init(_ number: Int, _ cluster: Cluster) {
        self.number = number
        self.cluster = cluster
    }

    /// Whether it accepts requests.
    var isServing: Bool { life?.isLoaded ?? false }

    func start() {
        if life != nil { return }
        cluster.world.note("node \(number): starts")
        do throws(StoreUnavailable) {
            let life = try NodeLife(number, cluster)
            self.life = life
            life.onEnd = { [unowned self, unowned life] in
                cluster.world.after(0) { [self] in
                    guard self.life === life else { return }
                    kill()
                    startLater()
                }
            }
            life.run()
        } catch {
            cluster.world.note("node \(number): can't start: \(cluster.backing.withoutPaths("\(error)"))")
            startLater()
        }
    }

    func startLater() {
        startCount += 1
        cluster.world.after(cluster.world.random.within(.milliseconds(50) ... .seconds(4))) { [self, startCount] in
            if self.startCount == startCount { start() }
        }
    }

    /// Ends the process in good order.
    func stop() {
        guard let life, !life.isDead else { return }
        cluster.world.note("node \(number): is stopped")
        life.registry.stop()
    }

    func kill() {
        guard let life else { return }
        cluster.world.note("node \(number): is killed")
        self.life = nil
        former.append(life)
        life.kill()
    }

    func pause(for time: Microseconds) {
        guard let life, !life.process.isPaused else { return }
        cluster.world.note("node \(number): pauses")
        life.process.pause()
        cluster.world.after(time) { [cluster, number] in
            if !life.process.isPaused { return }
            cluster.world.note("node \(number): goes on")
            life.process.resume()
        }
    }
}
