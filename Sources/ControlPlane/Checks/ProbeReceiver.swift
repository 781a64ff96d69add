/// Takes in a target's response piece by piece, and keeps only what the verdict needs.
struct ProbeReceiver: Sendable {
    /// Why the rest of the response is not read.
    enum Stop: Sendable, Equatable { case headTooLarge, bodyLimit }

    /// The most octets of all heads and trailers together: a target may send any number of 1xx.
    static let maximumHeadOctets = 65_536
    /// The most octets of a body that are read.
    static let maximumBodyOctets = 65_536

    private(set) var stop: Stop?
    /// The text in the body; `nil`: none is looked for.
    private(set) var search: TextSearch?
    /// The message of a gRPC response.
    private(set) var message: [UInt8] = []
    /// `grpc-status`, from the head or the trailers.
    private(set) var callStatus: Int?
    private let isCall: Bool
    private var headOctets = 0
    private var bodyOctets = 0

    init(_ request: ProbeRequest) {
        if case .call = request.exchange { isCall = true } else { isCall = false }
        search = request.body.map { TextSearch($0) }
    }

    /// Takes a line of a head or of trailers.
    ///
    /// - Returns: whether to go on.
    mutating func takeLine(_ line: some Collection<UInt8>) -> Bool {
        headOctets += line.count
        if headOctets > Self.maximumHeadOctets { return end(.headTooLarge) }
        if isCall, let status = Self.callStatus(line) { callStatus = status }
        return true
    }

    /// Takes a piece of the body.
    ///
    /// - Returns: whether to go on.
    mutating func takeBody(_ piece: some Collection<UInt8>) -> Bool {
        let octets = piece.prefix(Self.maximumBodyOctets - bodyOctets)
        bodyOctets += octets.count
        if isCall {
            if octets.count > HealthCall.maximumOctets - message.count { return end(.bodyLimit) }
            message += octets
        }
        search?.take(octets)
        return bodyOctets < Self.maximumBodyOctets || end(.bodyLimit)
    }

    private mutating func end(_ reason: Stop) -> Bool {
        stop = reason
        return false
    }

    /// The value of a line `grpc-status: 5`.
    private static func callStatus(_ line: some Collection<UInt8>) -> Int? {
        let name = Array("grpc-status:".utf8)
        guard line.count < 64, line.prefix(name.count).map({ $0 | 0x20 }).elementsEqual(name.map { $0 | 0x20 }) else {
            return nil
        }
        let value = line.dropFirst(name.count).filter { $0 > 0x20 }
        return value.allSatisfy({ (0x30...0x39).contains($0) }) ? Int(String(decoding: value, as: UTF8.self)) : nil
    }
}
