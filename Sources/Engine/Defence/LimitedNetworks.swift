import Synchronization

/// Client networks that were limited lately, for people.
public struct LimitedNetworks: Sendable, Equatable {
    /// The most networks that are told apart.
    public static let maximumCount = 64

    /// How many responses to each were limited. Some may have been left out.
    public private(set) var counts: [IPNetwork: UInt64] = [:]
    /// Responses to further networks.
    public private(set) var others: UInt64 = 0

    /// None.
    public init() {}

    /// Counts one more response.
    public mutating func note(_ network: IPNetwork) {
        if counts[network] != nil || counts.count < Self.maximumCount {
            counts[network, default: 0] += 1
        } else {
            others += 1
        }
    }
}

/// Client networks that were limited since that was last asked. Shared by all workers.
final class LimitedNetworkLog: Sendable {
    private let networks = Mutex(LimitedNetworks())

    /// Notes that a client was limited. It is left out if another worker notes one at this moment.
    func note(_ client: IPAddress) {
        _ = networks.withLockIfAvailable { $0.note(client.limitedNetwork) }
    }

    /// The networks that were limited since the last call.
    func take() -> LimitedNetworks {
        networks.withLock { networks in
            defer { networks = LimitedNetworks() }
            return networks
        }
    }
}

extension IPAddress {
    /// The network in which clients count as one: /24, or /56 of IPv6.
    var limitedNetwork: IPNetwork {
        let client = unmapped
        return IPNetwork(client, prefixLength: client.isIPv4 ? 24 : 56)
    }
}
