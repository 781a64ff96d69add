import Logging

extension Logger {
    /// Says nothing.
    static let none = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
}
