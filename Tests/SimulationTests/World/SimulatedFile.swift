@testable import ControlPlane

/// A disk with one file, which outlives its node's processes.
final class SimulatedFile: @unchecked Sendable {
    fileprivate let world: World
    fileprivate var octets: [UInt8]?
    /// Whether it takes nothing: it is full.
    var isFull = false

    init(_ world: World) { self.world = world }

    /// The machine has lost its power before everything was on the disk.
    func damage() {
        guard let octets, !octets.isEmpty else { return }
        // A share of it, for the same reason.
        self.octets = Array(octets.prefix(octets.count * world.random.below(1000) / 1000))
    }
}

/// The file as one process has it.
final class SimulatedFileHandle: WholeFile, @unchecked Sendable {
    private let file: SimulatedFile
    /// Whether the process is dead: nothing it does has an effect.
    private var isSevered = false
    /// Is told when the process begins with what the file says.
    var onRead: () -> Void = {}
    let path = "/snapshot"

    init(_ file: SimulatedFile) { self.file = file }

    func sever() { isSevered = true }

    func read() throws(StoreUnavailable) -> [UInt8]? {
        if file.octets != nil {
            file.world.note("snapshot: is read")
            onRead()
        }
        return file.octets
    }

    func replace(with octets: [UInt8]) throws(StoreUnavailable) {
        if isSevered { return }
        if file.isFull { throw StoreUnavailable(reason: "no space") }
        file.octets = octets
        // The identity of etcd's history in it is random, its length too: the seed alone must decide what is noted.
        file.world.note("snapshot: \(octets.count { $0 == UInt8(ascii: "\n") }) lines")
    }
}
