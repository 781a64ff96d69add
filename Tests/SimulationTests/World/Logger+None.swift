import Logging

extension Logger {
    /// Logs nothing.
    static let none = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
}
