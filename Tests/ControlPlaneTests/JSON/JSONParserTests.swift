import NIOCore
import Testing

@testable import ControlPlane

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONParser.parse(Array(text.utf8))
    }

    @Test func `every kind of value is read`() throws {
        let value = try parse(#" { "a" : [ null , true , false , -12 , 1.5 , "x" , {} , [] ] } "#)
        #expect(
            value
                == .object([
                    JSONMember(
                        name: "a",
                        value: .array([
                            .null, .bool(true), .bool(false), .integer(-12), .number(1.5), .string("x"), .object([]),
                            .array([]),
                        ])
                    )
                ])
        )
    }

    @Test(
        arguments: [
            ("0", .integer(0)), ("-0", .integer(0)), ("1.0", .integer(1)), ("1e2", .integer(100)),
            ("5E-1", .number(0.5)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9223372036854775808)), ("1e400", .number(.infinity)),
            ("-1e400", .number(-.infinity)), ("1e-400", .integer(0)),
            ("123456789012345678901234567890", .number(1.2345678901234568e29)),
        ] as [(String, JSONValue)]) func `numbers are read without a trap`(text: String, value: JSONValue) throws
    {
        #expect(try parse(text) == value)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0041\u00e4\u20AC\ud83d\ude00""#, "Aä€😀"),
        (#""ä€😀""#, "ä€😀"),
        (#""a\u0000b""#, "a\0b"),
        (#""""#, ""),
    ]) func `strings are read with their escapes`(text: String, value: String) throws {
        #expect(try parse(text) == .string(value))
    }

    @Test(arguments: [
        "", " ", "{", "[", "\"", "\"\\", "\"\\u12", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,",
        "[1,]",
        "[1 2]", "{a:1}", "{'a':1}", "{1:1}", "tru", "nul", "True", "NaN", "Infinity", "+1", "01", "1.", ".5", "1e",
        "1e+",
        "-", "--1", "0x10", "1 2", "{} {}", "[1]]", "\"a\nb\"", "\"\t\"", #""\x""#, #""\ud800""#, #""\udc00""#,
        #""\ud800\u0041""#, #""\ud800x""#, #""\u12g4""#, "// c\n1", "\u{FEFF}1", "[\"a\" \"b\"]",
    ]) func `what is not JSON is an error`(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            [0x22, 0xE2, 0x82, 0x22], [0x22, 0x5C, 0x6E, 0xFF, 0x22], [0xFF], [0x00],
        ] as [[UInt8]]) func `octets that are not UTF-8 are an error`(bytes: [UInt8])
    {
        #expect(throws: JSONError.self) { try JSONParser.parse(bytes) }
    }

    @Test func `a name that occurs twice is an error, in small and large objects`() {
        #expect(throws: JSONError.self) { try parse(#"{"a":1,"b":2,"a":3}"#) }
        #expect(throws: JSONError.self) { try parse(#"{"a":1,"\u0061":3}"#) }
        let many = (0..<40).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        #expect(throws: JSONError.self) { try parse("{\(many),\"k39\":0}") }
        #expect(throws: JSONError.self) { try parse("{\(many),\"k0\":0}") }
        #expect(throws: Never.self) { try parse("{\(many)}") }
    }

    @Test func `nesting has a limit`() {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try parse(deep) }
        #expect(throws: JSONError.self) { try parse("[\(deep)]") }
        #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
        // Siblings do not add up.
        #expect(throws: Never.self) { try parse("[" + Array(repeating: "[]", count: 200).joined(separator: ",") + "]") }
    }

    @Test func `an error says where`() {
        #expect(throws: JSONError(problem: "expected ':'", line: 3, column: 6)) { try parse("{\n\"a\":1,\n\"bc\" 2}") }
        #expect(throws: JSONError(problem: "unexpected end", line: 1, column: 1)) { try parse("") }
    }

    @Test func `no mutation of a body makes the parser trap`() {
        let body = Array(#"{"name":"a\u00e4","n":[-1.5e3,{"x":null}],"t":true}"#.utf8)
        var generator = SplitMix64(seed: 3)
        for _ in 0..<20_000 {
            var bytes = body
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator) / 2)
            _ = try? JSONParser.parse(bytes)
        }
    }
}

@Suite struct JSONSurrogateTests {
    @Test(arguments: [
        (#""\ud83d\ude00""#, "😀"), (#""\ud800\udc00""#, "\u{10000}"), (#""\udbff\udfff""#, "\u{10ffff}"),
        (#""\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
    ])
    func `two halves are one character`(text: String, expected: String) throws {
        #expect(try JSONParser.parse(Array(text.utf8)) == .string(expected))
    }

    @Test(arguments: [
        #""\ud83d\udbff""#, #""\ud83d\ue000""#, #""\ud83d\u0041""#, #""\ud83d""#, #""\udc00""#, #""\udfff""#,
        #""\ud83d\n""#, #""\ud83dx""#, #""\udbff\uffff""#,
    ])
    func `a half alone is an error`(text: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(Array(text.utf8)) }
    }
}

@Suite struct JSONWriterTests {
    private func write(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.octets, as: UTF8.self)
    }

    @Test func `what is written can be read`() throws {
        let text = write { writer in
            writer.beginObject()
            writer.member("a")
            writer.beginArray()
            writer.integer(-1)
            writer.string("ä\"\\\n\u{1}\u{7F}😀")
            writer.null()
            writer.bool(false)
            writer.beginObject()
            writer.endObject()
            writer.beginArray()
            writer.endArray()
            writer.endArray()
            writer.member(any: "b\"")
            writer.decimal(-1.0625)
            writer.member("p")
            writer.decimal(0.000042, places: 6)
            writer.member("t")
            writer.time(WallTime(millisecondsSince1970: 1))
            writer.endObject()
        }
        #expect(
            text == #"{"a":[-1,"ä\"\\\u000a\u0001"# + "\u{7F}"
                + #"😀",null,false,{},[]],"b\"":-1.063,"p":0.000042,"t":"1970-01-01T00:00:00.001Z"}"#
        )
        #expect(throws: Never.self) { try JSONParser.parse(Array(text.utf8)) }
    }
}
