import Engine
import Glibc

/// Answers queries in-process, through the very function that the workers call, and counts what an answer costs:
/// allocations, reference counting and locks, as seen by the preloaded `alloc_count.so`.
///
/// `answer-count N` answers N queries of each kind and prints one JSON line.
@main
struct AnswerCount {
    static let services = 1000

    static func main() throws {
        let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
        guard let counters = Counters() else {
            print("alloc_count.so is not preloaded: run bench/run.py hot-path")
            exit(2)
        }
        var scenarios: [String] = []
        for strategy in RotationStrategyName.allCases {
            var responder = try InProcessResponder(configuration(strategy))
            try responder.publish(zone())
            let cached = queries(1) { "host\($0).cached.example" }
            guard cached.allSatisfy({ accept($0, &responder) }) else {
                print("an upstream's answer was not taken")
                exit(2)
            }
            for (kind, queries) in [
                ("A", queries(1) { "svc\($0).service.kong" }),
                ("SRV", queries(33) { "svc\($0).service.kong" }),
                ("AAAA-NODATA", queries(28) { "svc\($0).service.kong" }),
                ("NXDOMAIN", queries(1) { "nothing\($0).service.kong" }),
                ("addr", queries(1) { "0a0000\($0 % 90 + 10).addr.service.kong" }),
                ("CACHED", cached),
                // RD=0.
                ("REFUSED", queries(1) { "host\($0).example.com" }.map { [0x12, 0x34, 0] + $0.dropFirst(3) }),
            ] {
                let figures = measure(count, queries, &responder, counters)
                scenarios.append("\"\(kind) \(strategy.rawValue)\": \(figures)")
            }
        }
        print("{\"scenarios\": {\(scenarios.joined(separator: ", "))}}")
    }

    /// Lets the cache have four addresses as the answer to a query.
    private static func accept(_ query: [UInt8], _ responder: inout InProcessResponder) -> Bool {
        var answer = query
        answer[2] = 0x81
        answer[3] = 0x80
        answer[7] = 4
        for number: UInt8 in 1...4 { answer += [0xC0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, number] }
        // Unsafe only for types with padding; octets have none.
        return unsafe responder.accept(upstream: answer.span.bytes, to: query.span.bytes)
    }

    private static func measure(
        _ count: Int, _ queries: [[UInt8]], _ responder: inout InProcessResponder, _ counters: Counters
    ) -> String {
        // All in one array: taking an array out of an array would count a reference for each query.
        let flat = queries.flatMap { $0 }
        let ends = queries.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
        var octets = 0
        func answer(_ times: Int) {
            // Unsafe only for types with padding; octets have none.
            let all = unsafe flat.span.bytes
            var place = 0
            for _ in 0..<times {
                let query = all.extracting(ends[place]..<ends[place + 1])
                octets &+= responder.respond(to: query, overTCP: false) { $0.byteCount } ?? 0
                place = place + 1 == queries.count ? 0 : place + 1
            }
        }
        answer(min(count, 2 * queries.count))
        let clock = ContinuousClock()
        let before = counters.read()
        let start = clock.now
        answer(count)
        let elapsed = (clock.now - start) / .nanoseconds(1)
        let after = counters.read()
        let differences = zip(Counters.names, zip(before, after)).map { name, values in
            // The last one is a flag, not a count.
            "\"\(name)\": \(name == "swift_is_counted" ? values.1 : values.1 - values.0)"
        }
        precondition(octets > 0, "nothing was answered")
        let counted = differences.joined(separator: ", ")
        return "{\"answers\": \(count), \"nanoseconds\": \(Int(elapsed)), \"counters\": {\(counted)}}"
    }

    private static func configuration(_ strategy: RotationStrategyName) -> EngineConfiguration {
        EngineConfiguration(
            listen: [], workers: 1, strategy: strategy,
            zone: ZoneConfiguration(
                origin: "service.kong", ttl: 5, negativeTTL: 1, nameServerAddresses: [.v4(0x7F00_0001)]),
            forwarding: ForwardingConfiguration(
                upstreams: UpstreamConfiguration(
                    servers: [SocketAddress(.v4(0x7F00_0001), port: 53)],
                    allow: [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)])))
    }

    private static func zone() -> ZoneUpdate {
        let changes = (0..<services).map { service in
            let addresses = (0..<4).map { IPAddress.v4(0x0A00_0000 + UInt32(service * 4 + $0)) }
            return NameChange(
                name: "svc\(service)",
                content: .records([
                    RRset(type: .a, ttl: 5, records: addresses.map { Record(.address($0), weight: 100) }),
                    RRset(
                        type: .srv, ttl: 5,
                        records: addresses.map {
                            Record(.service(priority: 0, weight: 1, port: 80, target: $0), weight: 100)
                        }),
                ]))
        }
        return ZoneUpdate(serial: 1, changes: changes)
    }

    private static func queries(_ type: UInt8, _ name: (Int) -> String) -> [[UInt8]] {
        (0..<services).map { service in
            var query: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
            for label in name(service).split(separator: ".") { query += [UInt8(label.utf8.count)] + label.utf8 }
            return query + [0, 0, type, 0, 1]
        }
    }
}

/// `bench_counters` of alloc_count.h, found in the preloaded library.
@safe
struct Counters {
    /// The fields of `struct bench_counters`, in their order.
    static let names = [
        "malloc_calls", "calloc_calls", "realloc_calls", "aligned_calls", "free_calls", "ldns_malloc_calls",
        "ldns_calloc_calls", "ldns_realloc_calls", "ldns_free_calls", "swift_retain_calls", "swift_retain_n_calls",
        "swift_release_calls", "swift_release_n_calls", "swift_allocate_calls", "mutex_lock_calls", "swift_is_counted",
    ]

    private let function: @convention(c) (UnsafeMutablePointer<UInt64>) -> Void

    init?() {
        // Unsafe: the library's function has this signature, and the handle 0 is RTLD_DEFAULT.
        guard let symbol = unsafe dlsym(nil, "bench_counters") else { return nil }
        unsafe function = unsafeBitCast(symbol, to: (@convention(c) (UnsafeMutablePointer<UInt64>) -> Void).self)
    }

    func read() -> [UInt64] {
        var values = [UInt64](repeating: 0, count: Self.names.count)
        // Unsafe: the function fills as many fields.
        unsafe values.withUnsafeMutableBufferPointer { buffer in
            if let start = buffer.baseAddress { unsafe function(start) }
        }
        return values
    }
}
