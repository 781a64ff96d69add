import Synchronization

/// Reads the messages of a watch from the octets that arrive.
final class EtcdWatchReader: Sendable {
    /// What a watch reports.
    enum Event: Sendable, Equatable {
        /// Every change is reported from now on.
        case created
        /// All changes up to a revision; empty if etcd has only sent its revision.
        case changes([EtcdEvent], revision: Int64)
        /// The requested revision no longer exists.
        case gone(reason: String)
        /// The watch has ended.
        case failed(reason: String)
    }

    /// The length limit of a message, in octets.
    private static let maximumOctets = 64 << 20

    private let startRevision: Int64
    private let receive: @Sendable (Event) -> Bool
    private let rest = Mutex<[UInt8]>([])

    /// - Parameters:
    ///   - startRevision: the first revision that was requested.
    ///   - receive: is called with each event; `false` ends the watch.
    init(startRevision: Int64, receive: @escaping @Sendable (Event) -> Bool) {
        self.startRevision = startRevision
        self.receive = receive
    }

    /// Reads the octets that have arrived.
    ///
    /// - Returns: whether to go on.
    func read(_ octets: [UInt8]) -> Bool {
        let lines: [[UInt8]]? = rest.withLock { rest in
            guard let end = octets.lastIndex(of: UInt8(ascii: "\n")) else {
                rest += octets
                return rest.count <= Self.maximumOctets ? [] : nil
            }
            let whole = rest + octets[...end]
            rest = Array(octets[(end + 1)...])
            return whole.split(separator: UInt8(ascii: "\n")).map { Array($0) }
        }
        guard let lines else { return receive(.gone(reason: "a message has more than \(Self.maximumOctets) octets")) }
        return lines.allSatisfy { receive(event(of: $0)) }
    }

    private func event(of line: [UInt8]) -> Event {
        guard let json = try? JSONParser.parse(line) else { return .failed(reason: "a message is not JSON") }
        let message: EtcdStreamMessage
        do throws(EtcdError) {
            message = try EtcdStreamMessage(json)
        } catch {
            return .failed(reason: error.reason)
        }
        if let problem = message.problem { return .failed(reason: problem) }
        let result = message.result
        if result.compactRevision > 0 { return .gone(reason: "compacted up to revision \(result.compactRevision)") }
        if result.isCanceled { return .failed(reason: result.cancelReason ?? "canceled") }
        if result.isCreated {
            // Otherwise the watch would be silent until etcd reaches the requested revision again.
            return result.revision < startRevision - 1 ? .gone(reason: "etcd has an older revision") : .created
        }
        // A watch that catches up gets its events in pieces, each with etcd's present revision, so the events' own
        // revisions count. All events of one revision are in one message.
        return .changes(result.events, revision: result.events.map(\.value.revision).max() ?? result.revision)
    }
}
