import Foundation
import Testing

extension ServerTests {
    /// Other resolvers in front of the server, with the files from the guide to Kong.
    @Suite struct ResolverTests {
        @Test(arguments: Resolver.allCases)
        func `a resolver in front answers with what is registered`(resolver: Resolver) throws {
            let server = try ServerProcess()
            let folder = try TemporaryFolder()
            let api = try HTTPConnection(server.rest)
            try api.register(Registration("orders", "10.0.0.1"))
            try api.register(Registration("orders", "10.0.0.2"))
            let (process, endpoint) = try resolver.start(for: server.dns[0], in: folder)
            try withExtendedLifetime(process) {
                let client = try DNSClient(endpoint)
                let addresses = try client.ask("orders.service.kong")
                #expect(Set(addresses.texts) == ["10.0.0.1", "10.0.0.2"], "\(process.errors)")
                #expect(try client.ask("_orders._tcp.service.kong", .srv).answers.count == 2)
                let target = try client.ask("0a000001.addr.service.kong")
                #expect(target.texts == ["10.0.0.1"])
                #expect(try client.ask("nobody.service.kong").code == .nameError)
                // Kong's clients are behind the resolver too: a name without records of that type is no error.
                #expect(try client.ask("orders.service.kong", .aaaa).code == .noError)
            }
        }
    }
}
