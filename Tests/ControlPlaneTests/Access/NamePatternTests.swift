import Testing

@testable import ControlPlane

@Suite struct NamePatternTests {
    @Test(
        arguments: [
            ("orders", ["orders"], ["orders-eu", "order", "", "xorders"]),
            ("Orders", ["orders"], ["ordersx"]),
            ("orders*", ["orders", "orders-eu", "orders2"], ["order", "xorders", ""]),
            ("orders-*", ["orders-eu", "orders-"], ["orders", "ordersx"]),
            ("*", ["orders", "a"], []),
        ] as [(String, [String], [String])])
    func `a name is matched as a whole, or by its start`(pattern: String, matching: [String], others: [String]) throws {
        let read = try #require(NamePattern(pattern))
        for name in matching { #expect(read.matches(name), "\(name)") }
        for name in others { #expect(!read.matches(name), "\(name)") }
        #expect(NamePattern(read.description) == read)
        #expect(read.isEverything == (pattern == "*"))
    }

    @Test(arguments: [
        "", "*orders", "a*b", "**", "orders**", "or ders", "a.b", "a_b", "-a", "a-", "-*", "ä", "[a-z]", "a?", "a/b",
        "\n",
        String(repeating: "a", count: 64), String(repeating: "a", count: 64) + "*",
    ])
    func `what no name could match is no pattern`(pattern: String) {
        #expect(NamePattern(pattern) == nil)
    }
}
