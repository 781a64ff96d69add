import Testing

/// Queries a server over one socket.
final class DNSClient {
    struct BadReply: Error, CustomStringConvertible {
        var description: String
    }

    let socket: ClientSocket
    private let transport: ClientSocket.Transport
    private var received: [UInt8] = []
    private var nextID = UInt16.random(in: 0...UInt16.max)

    init(_ server: Endpoint, _ transport: ClientSocket.Transport = .udp) throws {
        self.transport = transport
        socket = try ClientSocket(connectedTo: server, transport)
    }

    /// Asks, and checks what must be true of every reply.
    func ask(_ name: String, _ type: RecordType = .a, payload: UInt16? = nil) throws -> DNSMessage {
        nextID &+= 1
        let query = DNSMessage.query(name, type, id: nextID, payload: payload)
        try send(query)
        let octets = try receiveOctets()
        let reply = try DNSMessage(octets)
        let queryLength = 12 + reply.question.count
        let records = reply.answers + reply.authority
        // The addresses of targets have a TTL of their own.
        let targets = reply.additional.filter { $0.type != RecordType.opt.rawValue }
        guard reply.id == nextID, reply.isResponse, reply.question == Array(query[12..<min(queryLength, query.count)]),
            (records + targets).allSatisfy({ $0.ttl >= 1 }), Set(records.map(\.ttl)).count <= 1,
            Set(targets.map(\.ttl)).count <= 1,
            transport == .tcp || octets.count <= Int(payload ?? 512)
        else { throw BadReply(description: "a reply that does not fit \(name) \(type): \(reply)") }
        return reply
    }

    /// Sends a message, framed over TCP.
    func send(_ message: [UInt8]) throws {
        try socket.send(transport == .tcp ? UInt16(message.count).octets + message : message)
    }

    /// Waits for the next reply.
    func receive() throws -> DNSMessage {
        try DNSMessage(try receiveOctets())
    }

    private func receiveOctets() throws -> [UInt8] {
        if transport == .udp { return try socket.receive() }
        while true {
            if received.count >= 2 {
                let end = 2 + (Int(received[0]) << 8 | Int(received[1]))
                if received.count >= end {
                    defer { received.removeFirst(end) }
                    return Array(received[2..<end])
                }
            }
            let more = try socket.receive()
            if more.isEmpty { throw BadReply(description: "closed; so far: \(received)") }
            received += more
        }
    }
}

extension ServerProcess {
    /// Asks from a new socket, so that any worker may be the one that answers.
    func ask(
        _ name: String,
        _ type: RecordType = .a,
        over transport: ClientSocket.Transport = .udp,
        payload: UInt16? = nil
    ) throws -> DNSMessage {
        let endpoint = try #require(dns.first)
        return try DNSClient(endpoint, transport).ask(name, type, payload: payload)
    }

    /// Asks for the addresses of a service so often that most likely each of up to 4 workers was asked.
    ///
    /// - Returns: the different sets of addresses that were answered.
    func addresses(_ service: String, times: Int = 4) throws -> Set<Set<String>> {
        var answers: Set<Set<String>> = []
        for _ in 0..<times { answers.insert(Set(try ask("\(service).service.kong").texts)) }
        return answers
    }
}
