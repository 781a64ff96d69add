@testable import ControlPlane

/// A disk with one file, which outlives the processes of its node.
final class SimulatedFile: @unchecked Sendable {
    fileprivate let world: World
    fileprivate var octets: [UInt8]?
    /// Whether the disk is full, so that it accepts nothing.
    var isFull = false

    init(_ world: World) { self.world = world }

    /// The machine loses power before everything is on the disk.
    func damage() {
        guard let octets, !octets.isEmpty else { return }
        // A share is drawn, not a length, because the file's length is random.
        self.octets = Array(octets.prefix(octets.count * world.random.below(1000) / 1000))
    }
}

/// The file as one process has it.
final class SimulatedFileHandle: WholeFile, @unchecked Sendable {
    private let file: SimulatedFile
    /// Whether the process is dead, so that nothing it does has an effect.
    private var isSevered = false
    /// Called when the process begins with the content of the file.
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
        // The identity of etcd's history in it is random, and so is its length. Only the seed may decide what is noted.
        file.world.note("snapshot: \(octets.count { $0 == UInt8(ascii: "\n") }) lines")
    }
}
