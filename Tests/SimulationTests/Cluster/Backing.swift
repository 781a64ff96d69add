@testable import ControlPlane

/// What the nodes of a cluster keep their instances in, and what goes wrong with that.
protocol Backing: AnyObject {
    /// How many nodes there are: drawn from the seed.
    func makeNodes() -> Int

    /// What one node has of it, from the start of its process on.
    ///
    /// - Parameter world: draws what the process is like.
    /// - Throws: when the process can't start.
    func storage(ofNode number: Int, _ process: SimulatedProcess) throws(StoreUnavailable) -> any NodeStorage

    /// A text without what is not the same every time.
    func withoutPaths(_ text: String) -> String

    /// What goes wrong in a cluster.
    func storm(_ cluster: Cluster) -> any Storm

    /// What is kept now that all is quiet.
    ///
    /// - Throws: what is wrong with it.
    func kept(_ cluster: Cluster) throws(Complaint) -> KeptInstances

    /// Puts it to a last test, once all is quiet.
    func finish(_ cluster: Cluster)

    /// Whether a node shows an instance in the place in which it is kept, always.
    var hasOneOrder: Bool { get }

    /// How long a node may show what is over.
    var lateness: Microseconds { get }

    /// Whether clients register all that an instance can have.
    var takesEverything: Bool { get }
}

/// What one process has of what its instances are kept in.
protocol NodeStorage: AnyObject, Sendable {
    var store: any Store { get }

    /// Is told when the process ends by what happens to its storage.
    var onCrash: () -> Void { get set }

    /// Whether it may show nothing of instances that are alive, for what happened to them is forgotten.
    var isInGap: Bool { get }

    /// Everything is loaded.
    ///
    /// - Returns: what is wrong with it; `nil`: nothing.
    func problemOfLoading() -> String?

    /// Something was kept.
    func noteCommit()

    /// The process ends: nothing that it does from here on has an effect.
    ///
    /// - Parameter isLoaded: whether it has everything that is kept.
    func sever(isLoaded: Bool)
}

/// What goes wrong, and when: drawn from the seed.
protocol Storm: AnyObject {
    func begin()

    /// Everything works again.
    func end()
}

/// What is kept when all is quiet.
struct KeptInstances {
    /// By their ids.
    var instances: [String: ServiceInstance] = [:]
    /// Those that were written again without a client.
    var restored: Set<String> = []
}

/// What is wrong.
struct Complaint: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
