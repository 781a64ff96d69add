import CNotify
import Engine

/// Notifies the service manager, usually systemd, of the server's state: sd_notify(3). Does nothing if the environment
/// names none.
struct ServiceManager: Sendable {
    /// The interval at which to report that the server is alive; `nil`: never.
    let watchdogInterval: Duration?
    /// How many sockets the service manager keeps for the next process.
    let storeCapacity: Int
    private let path: String?

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID` and `FDSTORE`.
    init(environment process: ProcessEnvironment) {
        let environment = process.variables
        path = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        storeCapacity = path == nil ? 0 : environment["FDSTORE"].flatMap { Int($0) } ?? 0
        let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(process.processID)" } ?? true
        let limit = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        // sd_watchdog_enabled(3): notify twice in the time after which the process counts as dead.
        watchdogInterval = path != nil && isMeant && limit >= 2 ? .microseconds(limit / 2) : nil
    }

    /// Reports that the server answers.
    func tellReady() { send("READY=1") }

    /// Reports that the server is reading its configuration again, until ``tellReady()`` is called.
    func tellReloading() { send("RELOADING=1\nMONOTONIC_USEC=\(notification_microseconds())") }

    /// Reports that the server is stopping.
    func tellStopping() { send("STOPPING=1") }

    /// Reports that the server is alive.
    func tellAlive() { send("WATCHDOG=1") }

    /// Gives the manager sockets to keep for the next process, if it keeps any. It does not store a socket twice.
    func keep(_ sockets: PassedSockets) {
        guard storeCapacity > 0 else { return }
        keep(sockets.dns.map(\.number), name: PassedSockets.dnsName)
        keep(sockets.rest.map(\.number), name: PassedSockets.restName)
    }

    /// How long to wait for the manager.
    private static let patienceMilliseconds: Int32 = 3000

    /// Makes the manager drop all our sockets, and waits until it has closed them.
    func forgetSockets() {
        guard let path else { return }
        for name in [PassedSockets.dnsName, PassedSockets.restName] { send("FDSTOREREMOVE=1\nFDNAME=\(name)") }
        // Unsafe: the path is read before this returns.
        _ = unsafe await_notifications(path, Self.patienceMilliseconds)
    }

    private func keep(_ sockets: [Int32], name: String) {
        var rest = sockets[...]
        while !rest.isEmpty {
            let some = Array(rest.prefix(Int(notification_descriptors)))
            rest = rest.dropFirst(some.count)
            // FDPOLL=0: keep it, whatever poll(2) says about it.
            send("FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", some)
        }
    }

    private func send(_ text: String, _ descriptors: [Int32] = []) {
        guard let path else { return }
        // Unsafe: the path, the text and the numbers are read before this returns.
        _ = unsafe send_notification(path, text, text.utf8.count, descriptors, descriptors.count)
    }
}
