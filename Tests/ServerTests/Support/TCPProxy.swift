import Foundation
import Synchronization

/// The way between a server and etcd, which a test can make long, or cut.
final class TCPProxy: Sendable {
    enum Mode: Sendable, Equatable {
        case pass
        /// Everything takes so long, each way.
        case delay(milliseconds: UInt32)
        /// A partition: connections stay and new ones are accepted, nothing gets through until it ends.
        case hold
        /// Connections end, and new ones at once.
        case close
    }

    /// Where it listens.
    let endpoint: Endpoint
    private let target: Endpoint
    private let state = Mutex(State())

    private struct State {
        var mode = Mode.pass
        var isOver = false
        var sockets: [ObjectIdentifier: ClientSocket] = [:]
        /// Connections whose octets are taken and go nowhere.
        var swallowed: Set<ObjectIdentifier> = []
    }

    init(to target: Endpoint) throws {
        self.target = target
        endpoint = try .unused()
        let listening = try ClientSocket.bound(to: endpoint, .tcp)
        Thread.detachNewThread { [weak self] in
            while let proxy = self, !proxy.state.withLock({ $0.isOver }) {
                if let client = listening.accept(within: 50) { proxy.join(client) }
            }
        }
    }

    deinit {
        state.withLock { state in for socket in state.sockets.values { socket.cut() } }
    }

    /// What it does from now on.
    func set(_ mode: Mode) {
        state.withLock { state in
            state.mode = mode
            if mode == .close { for socket in state.sockets.values { socket.cut() } }
        }
    }

    /// What the present connections carry is taken and acknowledged from now on, and goes nowhere; new ones work. As
    /// with a balancer whose member is gone, or a firewall that has forgotten them.
    ///
    /// - Returns: how many there were.
    @discardableResult
    func swallowPresentConnections() -> Int {
        state.withLock { state in
            state.swallowed = Set(state.sockets.keys)
            return state.sockets.count / 2
        }
    }

    /// Ends all connections.
    func stop() {
        set(.close)
        state.withLock { $0.isOver = true }
    }

    private func join(_ client: ClientSocket) {
        let isClosed = state.withLock { $0.mode == .close }
        guard !isClosed, let server = try? ClientSocket(connectedTo: target, .tcp) else { return client.cut() }
        for (from, to) in [(client, server), (server, client)] {
            state.withLock { $0.sockets[ObjectIdentifier(from)] = from }
            Thread.detachNewThread { [weak self] in
                self?.forward(from, to)
                from.cut()
                to.cut()
                self?.state.withLock { state in
                    state.sockets[ObjectIdentifier(from)] = nil
                    state.swallowed.remove(ObjectIdentifier(from))
                }
            }
        }
    }

    private func forward(_ from: ClientSocket, _ to: ClientSocket) {
        while true {
            do {
                let octets = try from.receive()
                if octets.isEmpty || !wait() { return }
                if state.withLock({ $0.swallowed.contains(ObjectIdentifier(from)) }) { continue }
                try to.send(octets)
            } catch let error as SocketError where error.isTimeout {
                // Nothing was said for a while.
            } catch {
                return
            }
        }
    }

    /// Waits until octets may go on.
    ///
    /// - Returns: whether they ever may.
    private func wait() -> Bool {
        while true {
            switch state.withLock({ $0.mode }) {
            case .pass: return true
            case .delay(let milliseconds):
                usleep(milliseconds * 1000)
                return true
            case .hold: usleep(2000)
            case .close: return false
            }
        }
    }
}
