import Testing

@testable import ControlPlane

@Suite struct MetricsTests {
    @Test func `a metric is written with its help and type`() {
        var writer = MetricsWriter()
        writer.metric("a_total", .counter, "What\nit \\ is.", 7)
        writer.begin("b", .gauge, "B.")
        writer.sample("b", [.init("x", "1"), .init("y", "a\"b\\c\nd")], 0.25)
        #expect(
            String(decoding: writer.octets, as: UTF8.self) == """
                # HELP a_total What\\nit \\\\ is.
                # TYPE a_total counter
                a_total 7
                # HELP b B.
                # TYPE b gauge
                b{x="1",y="a\\"b\\\\c\\nd"} 0.25

                """)
    }

    @Test func `a histogram's buckets have all values up to their bounds`() {
        var histogram = Histogram(bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 2] { histogram.add(value) }
        var writer = MetricsWriter()
        writer.samples("t_seconds", [.init("k", "v")], of: histogram)
        #expect(
            String(decoding: writer.octets, as: UTF8.self) == """
                t_seconds_bucket{k="v",le="0.1"} 2
                t_seconds_bucket{k="v",le="1.0"} 3
                t_seconds_bucket{k="v",le="+Inf"} 4
                t_seconds_sum{k="v"} 2.65
                t_seconds_count{k="v"} 4

                """)
    }

    @Test func `a sample in parts looks like any other`() {
        var writer = MetricsWriter()
        for value in [0, 7, 10, -12, Int.max, Int.min] {
            writer.sample(Array("x{a=".utf8), Array("\"b\"} ".utf8), value)
        }
        var other = MetricsWriter()
        for value in [0, 7, 10, -12, Int.max, Int.min] { other.sample("x", [.init("a", "b")], value) }
        #expect(writer.octets == other.octets)
    }

    @Test func `numbers that are none have Prometheus' form`() {
        var writer = MetricsWriter()
        for value in [Double.nan, .infinity, -.infinity] { writer.sample("x", [], value) }
        #expect(String(decoding: writer.octets, as: UTF8.self) == "x NaN\nx +Inf\nx -Inf\n")
    }

    @Test func `a program's name may have any octets`() {
        let status = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 77 4096000 100 18446744073709551615 1"
        let figures = ProcessFigures(status: status, ticksPerSecond: 100, pageOctets: 4096)
        #expect(figures.cpuSeconds == 4)
        #expect(figures.threads == 9)
        #expect(figures.virtualBytes == 4_096_000)
        #expect(figures.residentBytes == 409_600)
        #expect(
            ProcessFigures(status: "", ticksPerSecond: 100, pageOctets: 4096)
                == ProcessFigures(status: "1 (x) S 2", ticksPerSecond: 0, pageOctets: 0))
    }

    @Test func `this process has figures`() {
        let figures = ProcessFigures.read()
        #expect(figures.cpuSeconds ?? 0 > 0)
        #expect(figures.residentBytes ?? 0 > 1 << 20)
        #expect(figures.openDescriptors ?? 0 > 2)
        #expect(figures.maximumDescriptors ?? 0 >= figures.openDescriptors ?? 0)
    }
}
