import Foundation
import Glibc
import Synchronization

/// A server on 127.0.0.1 that runs a script for each connection, on a thread of its own.
final class ScriptedServer: Sendable {
    struct Failure: Error {
        var action: String
        var code: Int32
    }

    let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    private struct State {
        var connections: [ServerConnection] = []
        var isStopped = false
    }

    /// Starts the server; `script` gets each connection, which is closed when it returns.
    init(_ script: @escaping @Sendable (ServerConnection) -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        port = try Self.listen(listener, backlog: 256)
        self.listener = listener
        state = Mutex(State())
        Thread.detachNewThread { [weak self] in
            // Closed here alone: closed by another thread, the number could be another server's before the next accept.
            defer { close(listener) }
            while true {
                let descriptor = accept(listener, nil, nil)
                if descriptor < 0 { return }
                guard let connection = self?.add(descriptor) else {
                    close(descriptor)
                    return
                }
                Thread.detachNewThread {
                    script(connection)
                    connection.close()
                }
            }
        }
    }

    deinit {
        let connections = state.withLock { $0.connections }
        for connection in connections { connection.shutdown() }
        // Ends listening, and accept.
        _ = Glibc.shutdown(listener, Int32(SHUT_RDWR))
    }

    /// A server that begins a chunked answer, sends the first chunk, and signals when its client has gone.
    static func sendingFirstChunk(then ended: Signal) throws -> ScriptedServer {
        try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.beginChunks()
            connection.writeChunk("first")
            connection.waitForEnd()
            ended.send()
        }
    }

    /// The URL of a request.
    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// The number of connections so far.
    var connectionCount: Int { state.withLock { $0.connections.count } }

    private func add(_ descriptor: Int32) -> ServerConnection {
        state.withLock { state in
            let connection = ServerConnection(descriptor, number: state.connections.count + 1)
            state.connections.append(connection)
            return connection
        }
    }

    /// Binds a socket to a free port of 127.0.0.1 and listens.
    static func listen(_ descriptor: Int32, backlog: Int32) throws -> Int {
        var address = LoopbackAddress()
        guard address.bind(descriptor), Glibc.listen(descriptor, backlog) == 0 else {
            throw Failure(action: "listen", code: errno)
        }
        return address.port
    }
}

/// The server's end of a connection.
final class ServerConnection: Sendable {
    struct Request {
        /// The request line and header fields; all but the line are in lower case.
        var head: String
        var body: [UInt8]
    }

    /// 1 for the server's first connection.
    let number: Int
    private let descriptor: Mutex<Int32>
    private let received = Mutex<[UInt8]>([])

    init(_ descriptor: Int32, number: Int) {
        self.descriptor = Mutex(descriptor)
        self.number = number
        var isOn: Int32 = 1
        // Unsafe: sets one integer.
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, 4)
    }

    /// Reads a request by its Content-Length; `nil` if the client has closed.
    func readRequest() -> Request? {
        received.withLock { received in
            var octets = received
            while true {
                if let end = octets.firstRange(of: Array("\r\n\r\n".utf8)) {
                    let head = String(decoding: octets[..<end.lowerBound], as: UTF8.self)
                    let lines = head.split(separator: "\r\n").map { $0.lowercased() }
                    let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
                    if octets.count >= end.upperBound + length {
                        received = Array(octets.dropFirst(end.upperBound + length))
                        let text = ([head.prefix { $0 != "\r\n" }] + lines.dropFirst().map { Substring($0) })
                        return Request(
                            head: text.joined(separator: "\n"),
                            body: Array(octets.dropFirst(end.upperBound).prefix(length)))
                    }
                }
                let more = read()
                if more.isEmpty { return nil }
                octets += more
            }
        }
    }

    /// Reads this many octets; `nil` if the client has closed before.
    func take(_ count: Int) -> [UInt8]? {
        received.withLock { received in
            while received.count < count {
                let more = read()
                if more.isEmpty { return nil }
                received += more
            }
            defer { received.removeFirst(count) }
            return Array(received.prefix(count))
        }
    }

    /// Makes the end of the connection a reset (socket(7), SO_LINGER).
    func reset() {
        var linger: [Int32] = [1, 0]
        let descriptor = descriptor.withLock { $0 }
        // Unsafe: sets a structure of two integers.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, 8)
    }

    /// Sends octets; `false` if the client has closed.
    @discardableResult
    func write(_ octets: [UInt8]) -> Bool {
        var sent = 0
        while sent < octets.count {
            let descriptor = descriptor.withLock { $0 }
            // Unsafe: sends octets of the array.
            let count = unsafe octets.withUnsafeBytes { bytes in
                unsafe send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// Sends a response with its length.
    @discardableResult
    func respond(_ status: Int = 200, _ body: [UInt8] = []) -> Bool {
        write(Array("HTTP/1.1 \(status) Text\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
    }

    /// Sends the head of a response in chunks.
    @discardableResult
    func beginChunks() -> Bool { write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") }

    /// Sends a chunk; an empty one ends the response.
    @discardableResult
    func writeChunk(_ text: String) -> Bool { write("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }

    /// Waits until the client has closed.
    func waitForEnd() {
        while !read().isEmpty {}
    }

    /// Ends reading and writing, at both ends.
    func shutdown() {
        descriptor.withLock { if $0 >= 0 { _ = Glibc.shutdown($0, Int32(SHUT_RDWR)) } }
    }

    fileprivate func close() {
        descriptor.withLock { descriptor in
            Glibc.close(descriptor)
            descriptor = -1
        }
    }

    private func read() -> [UInt8] {
        let descriptor = descriptor.withLock { $0 }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        // Unsafe: writes at most as many octets as given.
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }
}
