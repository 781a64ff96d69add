import CNotify
import Engine

/// Whoever has started this process and wants to know how it is, systemd as a rule: sd_notify(3). When nobody has
/// asked, nothing is told.
struct ServiceManager: Sendable {
    /// How often it is to be told that the server lives; `nil`: never.
    let watchdogInterval: Duration?
    /// How many sockets it keeps for the next process.
    let storeCapacity: Int
    private let path: String?

    /// What the environment tells of it: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`, `FDSTORE`.
    init(environment process: ProcessEnvironment) {
        let environment = process.variables
        path = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        storeCapacity = path == nil ? 0 : environment["FDSTORE"].flatMap { Int($0) } ?? 0
        let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(process.processID)" } ?? true
        let limit = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        // sd_watchdog_enabled(3): twice in the time after which the process is taken for dead.
        watchdogInterval = path != nil && isMeant && limit >= 2 ? .microseconds(limit / 2) : nil
    }

    /// The server answers.
    func tellReady() { send("READY=1") }

    /// The server reads its configuration again, until ``tellReady()`` is called.
    func tellReloading() { send("RELOADING=1\nMONOTONIC_USEC=\(notification_microseconds())") }

    /// The server ends.
    func tellStopping() { send("STOPPING=1") }

    /// The server lives.
    func tellAlive() { send("WATCHDOG=1") }

    /// Has sockets kept for the next process, if there is room for any. Those that are kept already are not kept twice.
    func keep(_ sockets: PassedSockets) {
        guard storeCapacity > 0 else { return }
        keep(sockets.dns.map(\.number), name: PassedSockets.dnsName)
        keep(sockets.rest.map(\.number), name: PassedSockets.restName)
    }

    /// How long it is waited for.
    private static let patienceMilliseconds: Int32 = 3000

    /// Has none of our sockets kept any longer, and waits until they are closed there.
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
            // FDPOLL=0: whatever poll(2) says of it.
            send("FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", some)
        }
    }

    private func send(_ text: String, _ descriptors: [Int32] = []) {
        guard let path else { return }
        // Unsafe: the path, the text and the numbers are read before this returns.
        _ = unsafe send_notification(path, text, text.utf8.count, descriptors, descriptors.count)
    }
}
