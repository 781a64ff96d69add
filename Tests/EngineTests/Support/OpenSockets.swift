import Foundation

@testable import Engine

/// The number of this machine's UDP sockets that are connected to an IPv4 address (proc_net_udp(5)).
func openSockets(to server: SocketAddress) throws -> Int {
    let port = String(server.port, radix: 16, uppercase: true)
    let remote: String = "0100007F:" + String(repeating: "0", count: 4 - port.count) + port
    let lines = try String(contentsOfFile: "/proc/net/udp", encoding: .utf8).split(separator: "\n")
    return lines.count { line in
        let fields = line.split(separator: " ")
        return fields.count > 2 && String(fields[2]) == remote
    }
}
