import Engine
import NIOCore

/// The addresses of this machine's network interfaces.
enum MachineAddresses {
    /// The present ones.
    static func current() throws -> [IPAddress] {
        try System.enumerateDevices().compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } }
    }
}
