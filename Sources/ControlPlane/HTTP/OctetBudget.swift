import Engine
import Synchronization

/// Limits the memory that clients can make the server hold at once, in all and for one client address.
final class OctetBudget: Sendable {
    private struct State {
        var used = 0
        var usedByClient: [IPAddress?: Int] = [:]
    }

    private let limit: Int
    private let limitPerClient: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: octets in all.
    ///   - limitPerClient: octets for one client address.
    init(limit: Int, limitPerClient: Int) {
        self.limit = limit
        self.limitPerClient = limitPerClient
    }

    /// The octets in use now.
    var used: Int { state.withLock { $0.used } }

    /// A share of the budget, which is given back when the value ends.
    struct Share: ~Copyable, Sendable {
        private let budget: OctetBudget
        private let client: IPAddress?
        private var octets = 0

        fileprivate init(_ budget: OctetBudget, _ client: IPAddress?) {
            self.budget = budget
            self.client = client
        }

        /// Makes the share larger.
        ///
        /// - Returns: whether enough was left; if not, the share keeps its size.
        mutating func grow(to octets: Int) -> Bool {
            guard octets > self.octets else { return true }
            guard budget.take(octets - self.octets, for: client) else { return false }
            self.octets = octets
            return true
        }

        deinit {
            if octets > 0 { budget.giveBack(octets, of: client) }
        }
    }

    /// A share of a fixed size that several may hold, and that the last one gives back.
    final class Holder: Sendable {
        private let share: Share

        /// - Returns: `nil` if not so much is left.
        init?(_ share: consuming Share, octets: Int) {
            guard share.grow(to: octets) else { return nil }
            self.share = share
        }
    }

    /// An empty share.
    func share(for client: IPAddress?) -> Share { Share(self, client) }

    private func take(_ octets: Int, for client: IPAddress?) -> Bool {
        state.withLock { state in
            let own = state.usedByClient[client, default: 0]
            guard state.used + octets <= limit, own + octets <= limitPerClient else { return false }
            state.used += octets
            state.usedByClient[client] = own + octets
            return true
        }
    }

    private func giveBack(_ octets: Int, of client: IPAddress?) {
        state.withLock { state in
            state.used -= octets
            let own = state.usedByClient[client, default: 0] - octets
            state.usedByClient[client] = own > 0 ? own : nil
        }
    }
}
