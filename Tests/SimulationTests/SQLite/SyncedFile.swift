/// A file on a ``SimulatedDisk``: what processes read, and which part of it is safe.
final class SyncedFile {
    /// The number of octets that a disk writes as a whole.
    private static let sectorLength = 512

    private enum Change {
        case write([UInt8], at: Int)
        case truncation(to: Int)
    }

    /// What processes read.
    private(set) var octets: [UInt8] = []
    /// The content at the last sync, and whatever else has reached the disk by chance.
    private var safe: [UInt8] = []
    private var unsynced: [Change] = []

    func write(_ new: [UInt8], at offset: Int) {
        Self.put(new[...], at: offset, in: &octets)
        unsynced.append(.write(new, at: offset))
    }

    func truncate(to length: Int) {
        if length >= octets.count { return }
        octets.removeLast(octets.count - length)
        unsynced.append(.truncation(to: length))
    }

    func sync() {
        safe = octets
        unsynced = []
    }

    /// Any part of what was not synced survives: changes reach a disk in any order, sector by sector.
    func losePower(_ random: inout SplitMix64) {
        let share = [0, 500, 950, 1000][random.below(4)]
        for change in unsynced {
            switch change {
            case .truncation(let length):
                if random.happens(share), length < safe.count { safe.removeLast(safe.count - length) }
            case .write(let new, let offset):
                var start = 0
                while start < new.count {
                    let end = min(new.count, ((offset + start) / Self.sectorLength + 1) * Self.sectorLength - offset)
                    if random.happens(share) { Self.put(new[start..<end], at: offset + start, in: &safe) }
                    start = end
                }
            }
        }
        octets = safe
        unsynced = []
    }

    private static func put(_ new: ArraySlice<UInt8>, at offset: Int, in octets: inout [UInt8]) {
        let end = offset + new.count
        if end > octets.count { octets += [UInt8](repeating: 0, count: end - octets.count) }
        octets.replaceSubrange(offset..<end, with: new)
    }
}
