/// How many questions may be under way over all workers, and how many of one client network. Pure.
///
/// One network gets a quarter at most, so that whoever asks for names that nobody answers leaves others the rest.
struct QuestionLimit {
    /// The answer to a question that wants to begin.
    enum Admission: Equatable {
        case admitted
        /// Its client's network has as many as it may have.
        case networkIsFull
        /// There are as many as there may be.
        case allAreFull
    }

    /// The most over all workers.
    let maximum: Int
    /// The most of one network.
    let maximumOfNetwork: Int
    /// Those under way.
    private(set) var count = 0
    private var networks: [UInt32: Int] = [:]

    /// - Parameter maximum: 1 or more.
    init(maximum: Int) {
        self.maximum = maximum
        maximumOfNetwork = max(maximum / 4, 1)
    }

    /// Counts one more question, if the limits allow.
    ///
    /// - Parameter network: that of its client; 0: it has no client.
    mutating func admit(_ network: UInt32) -> Admission {
        let own = network == 0 ? 0 : networks[network] ?? 0
        guard own < maximumOfNetwork else { return .networkIsFull }
        guard count < maximum else { return .allAreFull }
        count += 1
        if network != 0 { networks[network] = own + 1 }
        return .admitted
    }

    /// Counts one question less.
    mutating func release(_ network: UInt32) {
        count -= 1
        guard network != 0, let own = networks[network] else { return }
        networks[network] = own > 1 ? own - 1 : nil
    }

    /// Whether more than half are taken: then nothing is asked twice only because it takes long.
    var isCrowded: Bool { 2 * count > maximum }

    /// How many networks have questions.
    var networkCount: Int { networks.count }
}
