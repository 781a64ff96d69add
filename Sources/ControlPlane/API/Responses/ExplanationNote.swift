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
