/// Something that has a say in what DNS answers, such as a policy or a brake, and can say so.
protocol ExplanationSource: Sendable {
    /// What it says about a service as a whole.
    func notes(onService service: String) async -> [ExplanationNote]
    /// What it says about an instance.
    func notes(on registered: RegisteredInstance) async -> [ExplanationNote]
}

/// A reason for an answer, for people and programs.
struct ExplanationNote: Sendable, Equatable {
    /// What says so: `policy`, `mass_expiry_brake`, and so on.
    var source: String
    /// What it does, in a sentence.
    var text: String
    /// Since when; `nil`: always.
    var since: WallTime?
    /// Until when; `nil`: not known, or as long as the reason lasts.
    var until: WallTime?
}
