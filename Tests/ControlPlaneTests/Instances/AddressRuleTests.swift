import Engine
import Testing

@testable import ControlPlane

/// Which addresses may be registered, and by which clients.
@Suite struct AddressRuleTests {
    private func errors(
        _ ip: String, from client: IPAddress? = .v4(0x0A00_0009), within networks: [IPNetwork] = []
    ) throws -> [FieldError] {
        let decoder = RegistrationDecoder(addresses: RegistrableAddresses(within: networks))
        let value = try JSONParser.parse(Array(#"{"name":"orders","ip":"\#(ip)","port":80}"#.utf8))
        do {
            _ = try decoder.registration(value, .from(client))
            return []
        } catch {
            return error.errors
        }
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "169.254.169.254", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::127.0.0.1", "::10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "febf::1", "ff02::1",
        "fe80::1%eth0", "::ffff:0:127.0.0.1", "::ffff:0:169.254.169.254", "2002:7f00:1::", "2002:a9fe:a9fe::1",
        "64:ff9b::7f00:1", "64:ff9b::169.254.169.254",
        "64:ff9b:1::7f00:1", "64:ff9b:1:7f00:0:100::",
    ])
    func `an address that is nobody's, or everybody's, is refused`(ip: String) throws {
        #expect(try errors(ip).map(\.field) == ["ip"])
        #expect(try errors(ip, from: nil).map(\.field) == ["ip"])
        if let address = IPAddress(ip), !address.isLoopback {
            #expect(try errors(ip, from: .v4(0x7F00_0001)).map(\.field) == ["ip"])
            #expect(try errors(ip, within: [IPNetwork(.v4(0), prefixLength: 0)]).map(\.field) == ["ip"])
        }
    }

    @Test(arguments: [
        "1.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "223.255.255.255",
        "100.100.100.200", "::ffff:0:10.0.0.1", "2001:db8::1", "fd00:ec2::254", "fec0::1", "2002:a00:1::",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1", "64:ff9b:2::7f00:1", "::1:0:0:1",
    ])
    func `any other may be registered`(ip: String) throws {
        #expect(try errors(ip).isEmpty)
    }

    @Test func `a loopback address may be registered from one`() throws {
        for ip in ["127.0.0.1", "127.0.0.2", "::1"] {
            for client in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
                #expect(try errors(ip, from: IPAddress(client)).isEmpty)
            }
            #expect(try errors(ip, from: IPAddress("::ffff:10.0.0.1")).count == 1)
        }
    }

    @Test func `registry.networks narrows it down`() throws {
        let networks = [IPNetwork(.v4(0x0A00_0000), prefixLength: 8), IPNetwork(.v6(0xFD00 << 48, 0), prefixLength: 8)]
        #expect(try errors("10.1.2.3", within: networks).isEmpty)
        #expect(try errors("fd12::1", within: networks).isEmpty)
        #expect(try errors("192.168.0.1", within: networks).map(\.field) == ["ip"])
        #expect(try errors("127.0.0.1", from: .v4(0x7F00_0001), within: networks).map(\.field) == ["ip"])
        #expect(try errors("2001:db8::1", within: networks).first?.message.contains("registry.networks") == true)
    }

    @Test func `what was stored stays`() throws {
        for ip in ["127.0.0.1", "169.254.169.254", "255.255.255.255", "::1", "fe80::1", "64:ff9b::7f00:1"] {
            let value = try JSONParser.parse(Array(#"{"name":"orders","ip":"\#(ip)","port":80}"#.utf8))
            #expect(try RegistrationDecoder().registration(value).address == IPAddress(ip))
        }
    }
}
