import Synchronization

/// How many TCP connections there are over all workers. Touched when one opens or closes, never for a query.
final class TCPConnectionCount: Sendable {
    /// Whether one more may be opened.
    enum Admission {
        case admitted
        /// Its client has as many as it may have.
        case clientLimit
        /// There are as many as there may be.
        case totalLimit
    }

    private struct Counts {
        var total = 0
        var clients: [IPAddress: Int] = [:]
    }

    private let counts = Mutex(Counts())
    private let limits: TCPLimits

    init(limits: TCPLimits) {
        self.limits = limits
    }

    /// Counts one more connection of `client`, if it may be.
    func admit(_ client: IPAddress) -> Admission {
        counts.withLock { counts in
            guard counts.clients[client, default: 0] < limits.maximumPerClient else {
                return .clientLimit
            }
            guard counts.total < limits.maximumConnections else { return .totalLimit }
            counts.total += 1
            counts.clients[client, default: 0] += 1
            return .admitted
        }
    }

    /// Counts one connection of `client` less.
    func release(_ client: IPAddress) {
        counts.withLock { counts in
            counts.total -= 1
            let left = counts.clients[client, default: 1] - 1
            counts.clients[client] = left == 0 ? nil : left
        }
    }
}
