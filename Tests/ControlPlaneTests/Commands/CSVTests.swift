import Testing

@testable import ControlPlane

/// Comma-separated values (RFC 4180), and instances in them.
@Suite struct CSVTests {
    private func rows(_ text: String, pieceLength: Int = 1 << 20) throws -> [CSVReader.Row] {
        var reader = CSVReader()
        var rows: [CSVReader.Row] = []
        let octets = Array(text.utf8)
        for start in stride(from: 0, to: octets.count, by: pieceLength) {
            rows += try reader.take(Array(octets[start..<min(octets.count, start + pieceLength)]))
        }
        if let last = try reader.finish() { rows.append(last) }
        return rows
    }

    @Test func `fields may be quoted, and have commas, quotes and lines`() throws {
        let text = "\u{FEFF}a,b,c\r\n\"x, y\",\"say \"\"hi\"\"\",\"two\nlines\"\n\n1,,\"\""
        for length in [1, 2, 5, 1 << 20] {
            let found = try rows(text, pieceLength: length)
            #expect(found.map(\.fields) == [["a", "b", "c"], ["x, y", "say \"hi\"", "two\nlines"], ["1", "", ""]])
            #expect(found.map(\.line) == [1, 2, 5])
        }
        #expect(try rows("").isEmpty && rows("\n\r\n").isEmpty)
        #expect(try rows("a\n").map(\.fields) == [["a"]])
    }

    @Test(arguments: [("a\n\"b", 2), ("a\"b", 1), ("\"a\"b", 1)])
    func `wrong quotes are an error with its line`(text: String, line: Int) throws {
        do {
            _ = try rows(text)
            Issue.record("no error")
        } catch let failure as CSVReader.Failure {
            #expect(failure.line == line)
        }
    }

    @Test(arguments: ["plain", "with, comma", "\"quoted\"", "line\nfeed", "{\"a\":\"b\"}", ""])
    func `what is written is read again`(text: String) throws {
        let written = "x," + CSVReader.written(text)
        #expect(try rows(written).map(\.fields) == [["x", text]])
    }

    @Test func `a row becomes a registration`() throws {
        let header = ["name", "ip", "port", "tags", "metadata", "weight", "status", "expires_at", "ttl"]
        let row = ["orders", "10.0.0.1", "80", "blue;eu west", "{\"a\":\"b\"}", "", "draining", "2026", "soon"]
        let instance = try CSVInstances.instance(row, header: header).get()
        let expected =
            #"{"name":"orders","ip":"10.0.0.1","port":80,"tags":["blue","eu","west"],"metadata":{"a":"b"},"#
            + #""status":"draining","ttl":"soon"}"#
        #expect(String(decoding: instance.encoded, as: UTF8.self) == expected)
        #expect(throws: ImportRefusal("has 1 fields, but the first row has 9")) {
            try CSVInstances.instance(["orders"], header: header).get()
        }
        #expect(throws: ImportRefusal("metadata must be JSON")) {
            try CSVInstances.instance(["a", "b", "1", "", "{"], header: Array(header.prefix(5))).get()
        }
    }

    @Test func `a first row must name our fields`() {
        #expect(CSVInstances.problem(withHeader: CSVInstances.fields) == nil)
        #expect(CSVInstances.problem(withHeader: ["port", "ip", "name", "last_heartbeat"]) == nil)
        #expect(CSVInstances.problem(withHeader: ["name", "ip"])?.contains("missing: port") == true)
        #expect(CSVInstances.problem(withHeader: ["name", "ip", "port", "colour"])?.contains("'colour'") == true)
        #expect(CSVInstances.problem(withHeader: ["name", "ip", "port", "ip"])?.contains("twice") == true)
    }

    @Test func `an instance is the same after a row`() throws {
        let text =
            #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80,"protocol":"tcp","tags":["b","c"],"#
            + #""metadata":{"k":"v, \"w\""},"weight":0,"priority":3,"ttl":0,"dns_ttl":5,"#
            + #""checks":[{"name":"h","type":"http"}],"status":"passing"}"#
        let instance = try JSONParser.parse(Array(text.utf8))
        let found = try rows(CSVInstances.row(JSONReading(instance)))
        let again = try CSVInstances.instance(found[0].fields, header: CSVInstances.fields).get()
        #expect(again == instance)
    }
}
