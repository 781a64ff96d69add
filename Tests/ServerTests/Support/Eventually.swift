import Glibc
import Testing

/// Waits for something for which there is no event, by looking again and again.
///
/// - Throws: if it is not so within the time, or if `isSo` throws.
func eventually(
    within time: Duration = .seconds(20),
    _ what: @autoclosure () -> String,
    at location: SourceLocation = #_sourceLocation,
    _ isSo: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + time
    while !(try isSo()) {
        if ContinuousClock.now >= deadline {
            let text = what()
            try #require(Bool(false), "not within \(time): \(text)", sourceLocation: location)
        }
        usleep(5000)
    }
}
