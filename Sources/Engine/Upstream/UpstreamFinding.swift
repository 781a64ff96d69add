/// What a question's attempts have shown of an upstream, beside its answers' times and codes.
enum UpstreamFinding: Equatable {
    /// There is no way to it.
    case unreachable
    /// A connection to it was of no use.
    case failed
    /// It answers without EDNS what it refuses with it.
    case answersWithoutEDNS
    /// It repeats names with their letters in their case.
    case preservesCase
    /// It does not.
    case changesCase
    /// It does over TCP, while an answer over UDP had other letters.
    case changesCaseOverUDP
}

extension Upstream {
    /// Remembers it.
    func note(_ finding: UpstreamFinding, now: MonotonicTime) {
        switch finding {
        case .unreachable: unreachable()
        case .failed: failed(now: now)
        case .answersWithoutEDNS: learn { $0.answeredWithoutEDNS(now: now) }
        case .preservesCase: learn { $0.preservedCase() }
        case .changesCase: learn { $0.changedCase(now: now) }
        case .changesCaseOverUDP: learn { $0.doubtedCase(now: now) }
        }
    }
}
