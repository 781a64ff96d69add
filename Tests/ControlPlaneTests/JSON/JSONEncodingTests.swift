import Testing

@testable import ControlPlane

/// A JSON value that was read is written again.
@Suite struct JSONEncodingTests {
    @Test(arguments: [
        #"{"a":[1,-2,null,true,false,"x\"\\\u0001ü"],"b":{},"c":[]}"#, "1.5", "[]", #""text""#, #"{"a\"b":0}"#,
    ])
    func `a value is the same after it was written`(text: String) throws {
        let value = try JSONParser.parse(Array(text.utf8))
        #expect(String(decoding: value.encoded, as: UTF8.self) == text)
    }

    @Test func `a number that is too large stays one`() throws {
        let value = try JSONParser.parse(Array("[1e999,-1e999]".utf8))
        #expect(try JSONParser.parse(value.encoded) == value)
    }
}
