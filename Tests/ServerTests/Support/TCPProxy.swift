import Foundation
import Synchronization

/// The way between a server and etcd. A test can make it long, or cut it.
final class TCPProxy: Sendable {
    enum Mode: Sendable, Equatable {
        case pass
        /// Everything takes this long, in each direction.
        case delay(milliseconds: UInt32)
        /// A partition: connections stay and new ones are accepted, but nothing gets through until it ends.
        case hold
        /// Connections end, and new ones end at once.
        case close
    }

    /// The endpoint on which it listens.
    let endpoint: Endpoint
    private let target: Endpoint
    private let state = Mutex(State())

    private struct State {
        var mode = Mode.pass
        var isOver = false
        var sockets: [ObjectIdentifier: ClientSocket] = [:]
        /// Connections whose octets are accepted and go nowhere.
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

    /// Sets what it does from now on.
    func set(_ mode: Mode) {
        state.withLock { state in
            state.mode = mode
            if mode == .close { for socket in state.sockets.values { socket.cut() } }
        }
    }

    /// From now on octets of the present connections are accepted and acknowledged, and go nowhere. New connections
    /// work. A balancer whose member is gone behaves so, or a firewall that has forgotten the connections.
    ///
    /// - Returns: the number of these connections.
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
                // Nothing was sent for a while.
            } catch {
                return
            }
        }
    }

    /// Waits until octets may pass.
    ///
    /// - Returns: whether they may ever pass.
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
