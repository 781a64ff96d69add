import Synchronization

/// Reads the messages of a watch from the octets that come.
final class EtcdWatchReader: Sendable {
    /// What a watch tells.
    enum Event: Sendable, Equatable {
        /// It tells of every change from now on.
        case created
        /// All changes up to a revision; none at all when etcd has only told how far it is.
        case changes([EtcdEvent], revision: Int64)
        /// What was asked for is not there any more.
        case gone(reason: String)
        /// Nothing more comes.
        case failed(reason: String)
    }

    /// The longest message.
    private static let maximumOctets = 64 << 20

    private let startRevision: Int64
    private let receive: @Sendable (Event) -> Bool
    private let rest = Mutex<[UInt8]>([])

    /// - Parameters:
    ///   - startRevision: the first revision that was asked for.
    ///   - receive: is called with each event; `false` ends the watch.
    init(startRevision: Int64, receive: @escaping @Sendable (Event) -> Bool) {
        self.startRevision = startRevision
        self.receive = receive
    }

    /// Reads what has come.
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
            // It would wait in silence until it gets there again.
            return result.revision < startRevision - 1 ? .gone(reason: "etcd has an older revision") : .created
        }
        // A watch that has to catch up is told in pieces, each with the revision that etcd has come to meanwhile. All
        // events of a revision are in one message.
        return .changes(result.events, revision: result.events.map(\.value.revision).max() ?? result.revision)
    }
}
