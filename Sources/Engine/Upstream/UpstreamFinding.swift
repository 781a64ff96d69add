/// What a question's attempts have shown about an upstream, besides the times and codes of its answers.
enum UpstreamFinding: Equatable {
    /// It can't be reached.
    case unreachable
    /// A connection to it was of no use.
    case failed
    /// It answers without EDNS what it refuses with EDNS.
    case answersWithoutEDNS
    /// It preserves the case of a name's letters.
    case preservesCase
    /// It changes the case.
    case changesCase
    /// It preserves the case over TCP, while an answer over UDP had another one.
    case changesCaseOverUDP
}

extension Upstream {
    /// Remembers a finding.
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
