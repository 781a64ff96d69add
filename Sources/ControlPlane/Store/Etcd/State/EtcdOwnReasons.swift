/// Why a group changes something, and why it removes it. Others, and the end of a lease, may remove meanwhile what
/// the group only changes, and the other way round.
struct EtcdOwnReasons {
    var change: ChangeReason?
    var removal: ChangeReason?
    /// Whether the group's removal may be what is told next: it was planned, and nobody else has changed since what
    /// it expects.
    var isRemovalUnderWay = false
    /// Whether the watch has told of the removal.
    var isRemovalTold = false

    /// - Parameter isEvent: whether the watch tells of this very change. If everything is read anew, or a lease has
    ///   ended, it is unknown who has removed what is gone.
    func reason(for action: EtcdReplica.Action, isEvent: Bool) -> ChangeReason? {
        if case .remove = action { isEvent && isRemovalUnderWay ? removal : nil } else { change }
    }

    /// From now on the group expects what is known, whatever was told before.
    mutating func notePlan() { (isRemovalUnderWay, isRemovalTold) = (true, false) }

    /// Notes what the watch has told.
    mutating func note(_ action: EtcdReplica.Action) {
        switch action {
        case .remove: isRemovalTold = true
        case .put where change == nil: isRemovalUnderWay = false
        case .put, .policy: break
        }
    }
}
