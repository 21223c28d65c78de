import Foundation
import RecordBlocks
import TestSupport
import Testing

@testable import PipelineCore

@Suite struct `JSON array` {
  private func isValue(_ text: String) -> Bool { isValue(Array(text.utf8)) }
  private func isValue(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { JSONValidator.isValue($0) } }

  @Test(arguments: [
    "{}", "[]", "{\"a\":1}", " { \"a\" : [ 1 , 2.5 , -0 , 1e9 , 1E+9 , 0.1e-7 ] } ", "true", "false", "null", "0", "-1", "1e999999", "\"\"",
    "\"\\u00e9\\n\\/\"",
    "\"\\ud83d\\ude00\"", "\"ünï☃😀\"", "[[[]],{}]", "{\"a\":{\"b\":[{}]}}", "{\"a\":1}\r", "{\"a\":1,\"a\":2}", "\"\u{7F}\"",
    "123456789012345678901234567890",
  ])
  func `is a value`(_ text: String) { #expect(isValue(text)) }

  @Test(arguments: [
    "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "[1 2]", "{\"a\":1]",
    "[1}", "01", "-", "+1", ".5", "1.",
    "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "trueX", "nul", "True", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
    "\"\t\"", "\"\u{1}\"",
    "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "{} {}", "1 2", "[] x", "\u{FEFF}{}", "2026-09-01 12:00:00 ok",
    "[INFO] started",
    "// x", "{\"a\":1}/**/", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}", "[\"a\":1]", "-a",
  ])
  func `is none`(_ text: String) { #expect(!isValue(text)) }

  @Test(arguments: [
    [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xC3, 0x22],
    [0x22, 0xE2, 0x98],
  ])
  func `ill-formed UTF-8 is none`(_ bytes: [UInt8]) { #expect(!isValue(bytes)) }

  @Test func `depth is bounded`() {
    func nested(_ depth: Int, _ open: String, _ close: String) -> String {
      String(repeating: open, count: depth) + String(repeating: close, count: depth)
    }
    #expect(isValue(nested(128, "[", "]")))
    #expect(!isValue(nested(129, "[", "]")))
    #expect(isValue(String(repeating: "{\"a\":", count: 128) + "1" + String(repeating: "}", count: 128)))
    #expect(!isValue(String(repeating: "{\"a\":", count: 129) + "1" + String(repeating: "}", count: 129)))
    #expect(!isValue(String(repeating: "[", count: 1_000_000)))
    #expect(isValue(String(repeating: "[{\"a\":", count: 64) + "1" + String(repeating: "}]", count: 64)))
  }

  @Test func `every prefix of a value that begins a container is none`() {
    let bytes = Array(#"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00☃",true,false,null,{}],"b":{"c":[]}}"#.utf8)
    #expect(isValue(bytes))
    for count in 0..<bytes.count { #expect(!isValue(Array(bytes[..<count]))) }
  }

  @Test func `what the validator accepts, an independent parser accepts in an array`() throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SplitMix64(seed: seed)
    let pieces = [
      "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\", "\\u00e9", "\\ud800", "1", "-", "0", ".", "e", "true", "null", " ", "é", "\u{1}",
    ]
    var accepted = 0
    for _ in 0..<30_000 {
      let text = (0..<Int.random(in: 1...8, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }.joined()
      guard isValue(text) else { continue }
      accepted += 1
      let parsed = try? JSONSerialization.jsonObject(with: Data("[\(text)]".utf8)) as? [Any]
      #expect(parsed?.count == 1, "seed \(seed): \(text)")
    }
    #expect(accepted > 500)
  }

  @Test func `replacement follows the Unicode practice that String follows`() {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SplitMix64(seed: seed)
    let interesting: [UInt8] = [
      0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF,
    ]
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 1...6, using: &generator)).map { _ in interesting.randomElement(using: &generator)! }
      var writer = JSONArrayWriter(lineBytes: 0)
      writer.append(SharedBytes(copying: bytes + [10]))
      writer.finish()
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(String(decoding: writer.bytes, as: UTF8.self) == "[\"\(text)\"]", "seed \(seed): \(bytes)")
      #expect(writer.replacedCount == (String(validating: bytes, as: UTF8.self) == nil ? 1 : 0))
    }
  }

  @Test func `every byte survives quoting`() throws {
    var writer = JSONArrayWriter(lineBytes: 0)
    let records = (0..<128).filter { $0 != 10 }.map { "x" + String(UnicodeScalar(UInt8($0))) + "\"" }
    for record in records { writer.append(SharedBytes(copying: Array((record + "\n").utf8))) }
    writer.finish()
    #expect(try JSONSerialization.jsonObject(with: Data(writer.bytes)) as? [String] == records)
  }

  @Test func `no records give an empty array`() {
    var writer = JSONArrayWriter(lineBytes: 0)
    writer.finish()
    #expect(String(decoding: writer.bytes, as: UTF8.self) == "[]")
  }
}
