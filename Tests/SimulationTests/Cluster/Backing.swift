@testable import ControlPlane

/// The storage in which the nodes of a cluster keep their instances, with its faults.
protocol Backing: AnyObject {
    /// The number of nodes, drawn from the seed.
    func makeNodes() -> Int

    /// The storage of one node, from the start of its process on.
    ///
    /// - Parameter process: the process that uses the storage. Its world draws what differs between processes.
    /// - Throws: if the process can't start.
    func storage(ofNode number: Int, _ process: SimulatedProcess) throws(StoreUnavailable) -> any NodeStorage

    /// A text without the parts that differ between runs.
    func withoutPaths(_ text: String) -> String

    /// The faults that happen in a cluster.
    func storm(_ cluster: Cluster) -> any Storm

    /// What is kept once all is quiet.
    ///
    /// - Throws: a fault of what is kept.
    func kept(_ cluster: Cluster) throws(Complaint) -> KeptInstances

    /// Whether an instance was gone from what is kept between the first writing of one version and that of another: then
    /// a node that is late may have registered it as it knew it.
    func wasGone(between earlier: Int, and later: Int) -> Bool

    /// Runs a last test once all is quiet.
    func finish(_ cluster: Cluster)

    /// Whether a node always shows an instance in the place in which it is kept.
    var hasOneOrder: Bool { get }

    /// How long a node may show something that is over.
    var lateness: Microseconds { get }

    /// Whether clients register everything that an instance can have.
    var takesEverything: Bool { get }
}

/// The storage as one process has it.
protocol NodeStorage: AnyObject, Sendable {
    var store: any Store { get }

    /// Called when the process ends because of what happens to its storage.
    var onCrash: () -> Void { get set }

    /// Whether it may miss instances that are alive, because what happened to them has been forgotten.
    var isInGap: Bool { get }

    /// Everything has been loaded.
    ///
    /// - Returns: a fault of what was loaded; `nil` if there is none.
    func problemOfLoading() -> String?

    /// Something has been kept.
    func noteCommit()

    /// Whether this node has removed an instance that has just left: others may have done so at the same time.
    func hasRemoved(_ instance: ServiceInstance) -> Bool

    /// The process ends. Nothing that it does from here on has an effect.
    ///
    /// - Parameter isLoaded: whether it has loaded everything that is kept.
    func sever(isLoaded: Bool)
}

/// The faults that happen, and their times, drawn from the seed.
protocol Storm: AnyObject {
    func begin()

    /// The faults end, and everything works again.
    func end()
}

/// What is kept once all is quiet.
struct KeptInstances {
    /// The instances by their ids.
    var instances: [String: ServiceInstance] = [:]
    /// The ids of those that were written again without a client.
    var restored: Set<String> = []
    var policies: [String: ServicePolicy] = [:]
}

/// A fault that was found.
struct Complaint: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
