/// Which nodes share etcd, as this node knows, and how the others know of this one. Pure.
///
/// A node is a key on a lease that the node renews: if the node stops, the lease is given back; if it dies or is cut
/// off, the lease ends.
struct EtcdMembership: Sendable {
    /// The ttl of a node's lease, in seconds: the shortest that etcd grants with its default settings. etcd ends a
    /// lease up to half a second late.
    static let ttlSeconds = 2
    /// How often the lease is renewed, and the other nodes are looked up.
    static let interval = Duration.milliseconds(500)
    /// How long a call may take, so that another member is asked before the lease ends.
    static let callTime = Duration.seconds(1)
    /// How long to wait after a hint that something has changed: other changes may follow.
    static let hintTime = Duration.milliseconds(50)
    /// How many keys are read. Others write no keys there, but could.
    static let maximumKeys = 1024
    /// How many nodes share the work: the first ones in the order of their identities. A node beyond them takes its
    /// share as well, but the others do not know of that, so that work is done twice.
    static let maximumNodes = 64

    /// What was found in etcd.
    struct Findings: Sendable, Equatable {
        /// Whether this node's key is there, on its lease.
        var hasOwnKey = false
        /// What the node's share of the work depends on, if that has changed.
        var change: CheckerNodes?
        /// Whether there are keys that do not count; only the first time.
        var hasOddKeys = false
    }

    /// The nodes that were known last, this one included.
    private(set) var nodes: CheckerNodes
    /// The lease of this node's key; 0: none.
    var lease: Int64 = 0
    /// Whether somebody was told which nodes there are.
    private var isTold = false
    /// Whether somebody was told of keys that do not count.
    private var areOddKeysTold = false
    /// Why etcd refuses this node's key; `nil`: it does not.
    private var refusal: String?
    /// Starts a round at once; `nil`: no rounds take place.
    private var wake: AsyncStream<Void>.Continuation?
    private var isHinted = false
    private var isOver = false

    /// - Parameter own: the identity of this node.
    init(own: String) { nodes = CheckerNodes(own: own, others: []) }

    /// An identity for a process, which no other one has.
    static func randomIdentity() -> String { identity(.random(in: .min ... .max)) }

    /// The identity that a number stands for: 16 hexadecimal digits.
    static func identity(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: identityLength - digits.count) + digits
    }

    /// Whether a text may be the identity of a node.
    static func isIdentity(_ text: some StringProtocol) -> Bool {
        text.utf8.count == identityLength
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static let identityLength = 16

    // MARK: What etcd has

    /// Takes in the keys of all nodes.
    mutating func read(_ values: [EtcdKeyValue], _ keys: EtcdKeyspace) -> Findings {
        var findings = Findings()
        var others: [String] = []
        var oddCount = 0
        for value in values.prefix(Self.maximumKeys) {
            // A key without a lease would stay for ever, and nobody would do the work of that node.
            guard value.lease != 0, let node = keys.node(value.key) else {
                oddCount += 1
                continue
            }
            if node == nodes.own { findings.hasOwnKey = value.lease == lease }
            if others.count < Self.maximumNodes { others.append(node) } else { oddCount += 1 }
        }
        let known = CheckerNodes(own: nodes.own, others: others)
        if known != nodes || !isTold { findings.change = known }
        nodes = known
        isTold = true
        findings.hasOddKeys = oddCount > 0 && !areOddKeysTold
        if oddCount > 0 { areOddKeysTold = true }
        return findings
    }

    /// Notes that etcd was asked in vain: what was known last remains.
    ///
    /// - Returns: the nodes, unless somebody was told of them.
    mutating func failed() -> CheckerNodes? {
        defer { isTold = true }
        return isTold ? nil : nodes
    }

    /// Notes why etcd refuses this node's key, or that it does not (`nil`).
    ///
    /// - Returns: whether that is news.
    mutating func refused(_ reason: String?) -> Bool {
        defer { refusal = reason }
        return (refusal == nil) != (reason == nil)
    }

    // MARK: Rounds

    /// Begins the rounds, each after an interval or a hint.
    ///
    /// - Parameter wake: starts a round.
    /// - Returns: whether there are any, because this node has not been stopped.
    mutating func begin(_ wake: AsyncStream<Void>.Continuation) -> Bool {
        if isOver { return false }
        self.wake = wake
        return true
    }

    /// Ends the rounds for good.
    mutating func end() {
        isOver = true
        wake?.finish()
        wake = nil
    }

    /// Notes a hint that something has changed.
    ///
    /// - Returns: whether it is the first one; then ``followHint()`` is to be called after the ``hintTime``.
    mutating func hint() -> Bool {
        if isHinted || wake == nil { return false }
        isHinted = true
        return true
    }

    /// Starts the round that a hint has called for.
    mutating func followHint() {
        isHinted = false
        wake?.yield()
    }
}
