import Testing

@testable import ControlPlane

/// Items are found in JSON wherever its octets are cut.
@Suite struct JSONItemSplitterTests {
    private func items(_ text: String, pieceLength: Int = 1 << 20) throws -> [String] {
        var splitter = JSONItemSplitter()
        var found: [JSONItemSplitter.Item] = []
        let octets = Array(text.utf8)
        for start in stride(from: 0, to: octets.count, by: pieceLength) {
            found += try splitter.take(Array(octets[start..<min(octets.count, start + pieceLength)]))
        }
        try splitter.finish()
        return found.map { "\($0.line):\(String(decoding: $0.octets, as: UTF8.self))" }
    }

    @Test(arguments: [
        ("", []), (" \n", []), ("[]", []), ("[{\"a\":1},\n {\"b\":[2,{}]}]", ["1:{\"a\":1}", "2:{\"b\":[2,{}]}"]),
        ("{\"a\":1}\n{\"b\":2}\n", ["1:{\"a\":1}", "2:{\"b\":2}"]), ("{}", ["1:{}"]),
        ("{\"services\":[{\"a\":\"]}\\\"\"}\n,{}],\"next_cursor\":null}", ["1:{\"a\":\"]}\\\"\"}", "2:{}"]),
        ("{\"next_cursor\" : \"x\" , \"services\" : [ {} ] }", ["1:{}"]), ("{\"services\":[]}", []),
        ("{\"header\":{\"revision\":\"5\"},\"kvs\":[{\"key\":\"a\"}],\"count\":\"1\"}", ["1:{\"key\":\"a\"}"]),
        // The services of a Consul agent: whoever reads the item knows.
        ("{\"web\":{\"ID\":\"web\"}}", ["1:{\"web\":{\"ID\":\"web\"}}"]),
        ("\u{FEFF}[{}]", ["1:{}"]), ("[1, \"two\", null]", ["1:1", "1:\"two\"", "1:null"]),
        ("{\"name\":\"services\"}", ["1:{\"name\":\"services\"}"]),
    ])
    func `items are found`(text: String, expected: [String]) throws {
        for length in [1, 2, 3, 7, 1 << 20] { #expect(try items(text, pieceLength: length) == expected, "\(length)") }
    }

    @Test(arguments: [
        ("[{\"a\":1}", 1), ("[\n{\"a\":", 2), ("nothing", 1), ("\n[}", 2), ("{\"services\":[]", 1), ("\"text\"", 1),
    ])
    func `what is no JSON is an error with its line`(text: String, line: Int) throws {
        do {
            _ = try items(text)
            Issue.record("no error")
        } catch let failure as JSONItemSplitter.Failure {
            #expect(failure.line == line)
        }
    }

    @Test func `an item has a limit`() throws {
        var splitter = JSONItemSplitter(maximumOctets: 10)
        #expect(try splitter.take(Array("[{\"a\":1000},{\"a\"".utf8)).count == 1)
        #expect(throws: JSONItemSplitter.Failure.self) { try splitter.take(Array(":1000000".utf8)) }
    }
}
