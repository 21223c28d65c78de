import Testing

@testable import PipelineConfiguration

/// Each ends with a message: the time that these take together is the point, and a hang shows.
@Suite("A hostile file", .timeLimit(.minutes(1))) struct HostileFileTests {
  private static let anchors =
    "anchors and aliases (&name, *name) can't stand in a pipeline file; write the value out, or in quotes if it begins with & or *"

  @Test func `with an alias bomb is refused`() {
    var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1...30 {
      let aliases = repeatElement("*a\(level - 1)", count: 9).joined(separator: ", ")
      yaml += "a\(level): &a\(level) [\(aliases)]\n"
    }
    #expect(mistakes(yaml) == ["p.yaml:1:5: \(Self.anchors)"])
  }

  @Test func `with a small alias bomb in keys is refused`() {
    let yaml = "a: &a {x: 1}\nb: &b {? *a : *a}\nc: &c {? *b : *b}\nd: {? *c : *c}\n"
    #expect(mistakes(yaml).contains("p.yaml:1:4: \(Self.anchors)"))
  }

  @Test func `with an alias bomb in keys is refused`() {
    var yaml = "a0: &a0 [x]\n"
    for level in 1...40 { yaml += "a\(level): &a\(level) {? [*a\(level - 1), *a\(level - 1)] : x}\n" }
    #expect(mistakes(yaml) == ["p.yaml:1:5: \(Self.anchors)"])
  }

  @Test(arguments: ["[", "{", "- ", "? ", "{ !t- ", "{ &a- ", "{ # :\n", "{x, ", "{ \"]]]]\": ", "[{", "!a ", "'"])
  func `that goes down and down is refused`(opening: String) {
    for count in [100, 20_000, 300_000] where count * opening.utf8.count <= 1_000_000 {
      let found = mistakes("sources: " + (opening == "- " || opening == "? " ? "\n  " : "") + String(repeating: opening, count: count))
      #expect(!found.isEmpty && found.count <= 101)
    }
  }

  @Test func `with large keys inside keys is refused`() {
    for opening in ["{", "{ ", "? ", "{x, ", "{ !t- ", "{\n#:\n"] {
      let list = "[" + String(repeating: "a,", count: 35_000) + "]"
      let found = mistakes("sources: \n  " + String(repeating: opening, count: 400) + list + String(repeating: "}", count: 400))
      #expect(!found.isEmpty && found.count <= 101)
    }
  }

  @Test func `that nests deeper than any key is refused`() {
    #expect(
      mistakes("sources: { in: { type: stdin } }\nqueue: { name: [[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]] }").contains(
        "p.yaml:2:30: nested too deeply for a pipeline file"))
  }

  @Test func `with a huge scalar is refused in a short message`() {
    let found = mistakes("sources: { in: { type: \(String(repeating: "x", count: 1_000_000)) } }")
    #expect(found.count == 1 && found[0].utf8.count < 300)
  }

  @Test func `with a huge key is refused in a short message`() {
    let found = mistakes("\"\(String(repeating: "x", count: 900_000))\": 1\nsources: { in: { type: stdin } }")
    #expect(found.allSatisfy { $0.utf8.count < 300 } && !found.isEmpty)
  }

  @Test func `larger than a mebibyte is not read`() {
    #expect(
      mistakes(String(repeating: "# comment\n", count: 110_000)) == ["p.yaml: cannot read the file: it is larger than 1MiB"])
  }

  @Test func `with tens of thousands of keys is refused, with a bounded list`() {
    let keys = (0..<35_000).map { "k\($0): 1" }.joined(separator: "\n")
    let found = mistakes(keys)
    #expect(found.count == 101)
    #expect(found.last == "p.yaml: 34901 more errors; is it a pipeline file?")
  }

  @Test func `with many duplicate keys is refused`() {
    let found = mistakes("sources: { in: { type: stdin } }\n" + (0..<40).map { "k\($0): 1\nk\($0): 2\n" }.joined())
    #expect(found.filter { $0.contains("is given twice") }.count == 40)
    let large = mistakes((0..<18_000).map { "key\($0): 1\nkey\($0): 2\n" }.joined())
    #expect(large.contains { $0.contains("is given twice") })
  }

  @Test func `with a value in every second byte is refused`() {
    let yaml = "sources: [" + String(repeating: "a,", count: 500_000) + "]"
    #expect(mistakes(yaml) == ["p.yaml:1:1: more values than a pipeline file can have"])
  }

  @Test func `with control characters is refused where they stand`() {
    for (code, name) in [(0, "0x00"), (7, "0x07"), (0x1B, "0x1b"), (0x7F, "0x7f"), (0x80, "0x80"), (0xFFFE, "0xfffe")] {
      let scalar = Unicode.Scalar(UInt32(code))!
      #expect(
        mistakes("# ü\nqueue: { na\(Character(scalar))me: a }\n") == [
          "p.yaml:2:12: the control character \(name) can't stand in a pipeline file; remove it"
        ])
    }
  }

  @Test func `that is not UTF-8 is refused where it stops being`() {
    for bytes: [UInt8] in [[0xFF], [0xC3], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80]] {
      var files = TestFiles()
      files.files["p.yaml"] = Array("queue: {}\n# é: ".utf8) + bytes
      let byte = "0x" + String(bytes[0], radix: 16)
      #expect(files.mistakes() == ["p.yaml:2:6: not UTF-8: the byte \(byte) can't stand here"])
    }
    var utf16 = TestFiles()
    utf16.files["p.yaml"] = [0xFF, 0xFE, 0x61, 0x00]
    #expect(utf16.mistakes() == ["p.yaml:1:1: not UTF-8: the byte 0xff can't stand here"])
  }

  @Test func `can't write to the terminal with its names`() {
    let found = mistakes("\"\\e[2J\\n\": 1\nsources: { in: { type: stdin } }")
    #expect(found == [#"p.yaml:1:1: unknown key '\u{1b}[2J\n' at the top level; known are queue, sources, sinks, consumers, server"#])
  }

  @Test func `of any bytes ends with a message`() {
    var generator = SplitMix(state: 42)
    let tokens = [
      "{", "}", "[", "]", ":", ": ", "- ", "? ", "&a ", "*a", "!t ", "'", "\"", "\n", "  ", "#", "|\n", ">-\n", "${", "}", "queue",
      "sources", "type", ",", "%", "@", "---\n", "...\n", "\t", "é", "<<", "a", "=", "~",
    ]
    for _ in 0..<3000 {
      let yaml = (0..<Int(generator.next() % 40)).map { _ in tokens[Int(generator.next() % UInt64(tokens.count))] }.joined()
      #expect(!mistakes(yaml).isEmpty, "\(yaml)")
    }
  }
}

/// A small generator: the same numbers each run.
private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
