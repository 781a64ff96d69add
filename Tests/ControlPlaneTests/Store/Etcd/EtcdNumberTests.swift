import Testing

@testable import ControlPlane

/// Numbers at their extremes in everything that etcd sends: they are refused with a message or ignored, and never trap.
@Suite struct EtcdNumberTests {
    private static let extremes = [
        "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "0", "1.5",
        "1e400", "-0", "true", "null", "[]", "{}", #""-9223372036854775808""#, #""9223372036854775807""#,
        #""9223372036854775808""#, #""1152921504606846977""#, #""-1""#, #""0""#, #""1.5""#, #""""#, #""x""#, #"" 7""#,
    ]

    /// Each with a number in turn at its extreme: numbers are written as strings of digits.
    @Test(arguments: [
        "kv/range", "kv/txn", "lease/grant", "lease/keepalive", "lease/timetolive", "lease/revoke", "watch",
    ])
    func `no number of an answer makes a node trap`(path: String) async throws {
        let gravest = [#""-9223372036854775808""#, #""9223372036854775807""#, "9223372036854775808", #""0""#, "1.5"]
        for extreme in gravest {
            for place in 0..<4 {
                let etcd = ScriptedEtcd()
                let node = ScriptedNode(etcd)
                try await node.registry.load()
                async let running: Void = node.registry.run()
                _ = try await node.registry.register(.test("before", ttl: 2))
                etcd.distort { $0 == path ? Self.distorted($1, place, extreme) : $1 }
                // Whatever becomes of it.
                _ = try? await node.registry.register(.test("i1", ip: "10.0.0.1"))
                _ = try? await node.registry.register(.test("i1", ip: "10.0.0.2", ttl: 7))
                _ = try? await node.registry.deregister(id: "i1")
                _ = node.registry.renew(id: "before")
                etcd.change { $0.put("/kong-discovery/v1/services/orders/i2", StoredInstance.encode(.test(2))) }
                _ = await node.store.connect(time: node.clock.source)
                _ = try? await node.store.renew([7])
                // And it goes on when answers are right again.
                etcd.distort { $1 }
                try await node.waits("\(extreme) at \(place): it works again") {
                    node.registry.storeState.problem == nil
                }
                try await node.waits("\(extreme) at \(place): it watches again") {
                    node.registry.instance(id: "i2") != nil
                }
                node.registry.stop()
                await running
            }
        }
    }

    /// An answer with the number at a place, from the first, replaced.
    private static func distorted(_ answer: [UInt8], _ place: Int, _ extreme: String) -> [UInt8] {
        let text = String(decoding: answer, as: UTF8.self)
        let numbers = text.matches(of: /"\d+"/)
        if numbers.isEmpty { return answer }
        var changed = text
        changed.replaceSubrange(numbers[place % numbers.count].range, with: extreme)
        return Array(changed.utf8)
    }

    @Test func `what can't be a revision is refused in words`() {
        for extreme in Self.extremes where extreme != "null" {
            let isRight = [#""0""#, "0", "-0"].contains(extreme)
            for text in [
                #"{"header":{"revision":\#(extreme)}}"#, #"{"kvs":[{"mod_revision":\#(extreme)}]}"#,
                #"{"compact_revision":\#(extreme)}"#, #"{"events":[{"kv":{"mod_revision":\#(extreme)}}]}"#,
                #"{"responses":[{"response_range":{"kvs":[{"mod_revision":\#(extreme)}]}}]}"#,
            ] {
                guard let json = try? JSONParser.parse(Array(text.utf8)) else { continue }
                do throws(EtcdError) {
                    _ = try EtcdResponse(json)
                    #expect(isRight, "\(text)")
                } catch {
                    #expect(!isRight && error.reason.contains("revision"), "\(text): \(error.reason)")
                }
            }
        }
    }

    @Test func `numbers that etcd may use are read`() throws {
        let text = #"{"header":{"revision":"1152921504606846976"},"ID":"9223372036854775807","TTL":"-1"}"#
        let response = try EtcdResponse(JSONParser.parse(Array(text.utf8)))
        #expect(response.revision == 1 << 60 && response.lease == .max && response.ttlSeconds == -1)
    }
}
