import Engine

/// The sockets that the parent process has opened or kept for this one: sd_listen_fds(3).
struct PassedSockets: Sendable {
    /// The sockets for DNS, UDP and TCP.
    private(set) var dns: [InheritedSocket] = []
    /// The sockets for the REST API.
    private(set) var rest: [InheritedSocket] = []

    /// The name under which sockets for DNS are kept.
    static let dnsName = "dns"
    /// The name under which the REST API's socket is kept.
    static let restName = "rest"

    /// The first port that everybody may open (ip(7), unless the system is set otherwise).
    static let firstOpenPort: UInt16 = 1024

    /// The number of the first descriptor that is passed.
    private static let firstDescriptor: Int32 = 3
    /// More than anybody passes.
    private static let maximumCount: Int32 = 4096

    /// No sockets.
    init() {}

    /// Takes over the sockets that `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` describe. This can be done only
    /// once.
    ///
    /// - Throws: if a descriptor is no socket, or its name is neither `dns` nor `rest`.
    init(_ process: ProcessEnvironment) throws(StartError) {
        let environment = process.variables
        // Ignore variables for another process, for instance for the wrapper that started this one.
        guard environment["LISTEN_PID"] == "\(process.processID)", let text = environment["LISTEN_FDS"] else { return }
        guard let count = Int32(text), (0...Self.maximumCount).contains(count) else {
            throw StartError("LISTEN_FDS: '\(text)' is not a number from 0 to \(Self.maximumCount)")
        }
        let names = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        guard names.count == count || count == 0 else {
            throw StartError(
                "LISTEN_FDNAMES must name each of the \(count) passed sockets, dns or rest (in a .socket unit: "
                    + "FileDescriptorName=)")
        }
        for (index, name) in names.prefix(Int(count)).enumerated() {
            let number = Self.firstDescriptor + Int32(index)
            guard let socket = InheritedSocket(descriptor: number) else {
                throw StartError(
                    "LISTEN_FDS: descriptor \(number) (\(name)) is neither a UDP socket nor a TCP socket that listens")
            }
            switch (name, socket.transport) {
            case (Self.dnsName, _): dns.append(socket)
            case (Self.restName, .tcp): rest.append(socket)
            case (Self.restName, .udp):
                throw StartError("LISTEN_FDNAMES: descriptor \(number) is rest, which needs TCP, but it is UDP")
            default: throw StartError("LISTEN_FDNAMES: '\(name)' is neither dns nor rest")
            }
        }
    }

    /// Removes and returns the sockets that the configuration does not listen on; the REST API has just one.
    mutating func removeUnconfigured(_ configuration: Configuration) -> [InheritedSocket] {
        let listen = Set(configuration.dns.listen)
        let (passed, wanted) = (rest, configuration.server.listen)
        let unused = dns.filter { !listen.contains($0.address) }
        dns.removeAll { !listen.contains($0.address) }
        rest = Array(passed.filter { $0.address == wanted }.prefix(1))
        return unused + passed.filter { $0 !== rest.first }
    }

    /// Opens the missing sockets, so that they can be kept for the next process. Listeners with port 0 are skipped: the
    /// system would choose another port then.
    ///
    /// - Parameter workers: how many sockets share each address of DNS.
    mutating func openMissing(_ configuration: Configuration, workers: Int) throws(StartError) {
        for address in configuration.dns.listen where address.port != 0 {
            for transport in [SocketTransport.udp, .tcp] {
                if dns.contains(where: { $0.address == address && $0.transport == transport }) { continue }
                dns += try Self.open("dns.listen", address, transport, count: workers)
            }
        }
        try openMissingREST(configuration)
    }

    /// Opens the REST API's socket if it is missing and has a port.
    mutating func openMissingREST(_ configuration: Configuration) throws(StartError) {
        let address = configuration.server.listen
        if rest.isEmpty, address.port != 0 {
            rest = try Self.open("server.listen", address, .tcp, count: 1, isForBoth: true)
        }
    }

    private static func open(
        _ key: String, _ address: SocketAddress, _ transport: SocketTransport, count: Int, isForBoth: Bool = false
    ) throws(StartError) -> [InheritedSocket] {
        do throws(EngineError) {
            return try InheritedSocket.open(address, transport, count: count, isForBoth: isForBoth)
        } catch {
            throw StartError("\(key): \(error)")
        }
    }
}
