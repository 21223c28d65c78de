import Testing

@testable import JetStream

@Suite struct JSONTreeTests {
  private func parse(_ text: String) -> JSONTree? { Array(text.utf8).withUnsafeBytes { JSONTree($0) } }

  @Test func `an answer of JetStream's is read`() {
    let answer = parse(
      #" {"type":"x", "error": {"code":400,"err_code":10071,"description":"wrong \"last\" sequence: 3 é\n"}, "l":[true,null,-1e3,[]], "e":{}} "#
    )
    #expect(answer?["error"]?["err_code"]?.integer(Int.self) == 10_071)
    #expect(answer?["error"]?["description"]?.text == "wrong \"last\" sequence: 3 é\n")
    #expect(answer?["nothing"] == nil)
  }

  @Test func `a sequence keeps all of its 64 bits`() {
    #expect(parse(#"{"seq":18446744073709551615}"#)?["seq"]?.integer(UInt64.self) == .max)
    #expect(parse(#"{"seq":18446744073709551616}"#)?["seq"]?.integer(UInt64.self) == nil)
  }

  @Test(arguments: ["", "{", "{\"a\"}", "{\"a\":1,}", "[1,]", "\"a", "\"\\u12\"", "tru", "1 2", "{\"a\":1}x", "+OK"])
  func `what isn't JSON is nothing`(text: String) { #expect(parse(text) == nil) }

  @Test func `depth is bounded`() {
    #expect(parse(String(repeating: "[", count: 100_000)) == nil)
    #expect(parse(String(repeating: "[", count: 20) + String(repeating: "]", count: 20)) != nil)
  }

  @Test func `a text is quoted as JSON asks`() {
    #expect(JSONTree.quoted("a\"b\\c\u{1}\n") == #""a\"b\\c\u0001\u000a""#)
  }

  @Test(arguments: [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")])
  func `base64 is decoded`(text: String, expected: String) {
    #expect(Base64.decode(text).map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test(arguments: ["Z", "Zg=", "Zg=x", "Zm9v====", "Zm 9"])
  func `what isn't base64 is nothing`(text: String) { #expect(Base64.decode(text) == nil) }
}
