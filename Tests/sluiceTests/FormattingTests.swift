internal import Testing

@testable internal import sluice

@Suite struct HumanTextTests {
  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (84_112, "84,112"), (1_234_567, "1,234,567"), (-1_234_567, "-1,234,567"),
    (Int.min, "-9,223,372,036,854,775,808"),
  ])
  func `counts are grouped by three digits`(value: Int, text: String) {
    #expect(HumanText.count(value) == text)
  }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_524, "1023.9 KiB"), (1_048_576, "1.0 MiB"), (10 << 30, "10.0 GiB"),
    (3 << 50, "3072.0 TiB"),
  ])
  func `sizes carry the largest unit that leaves at least one`(value: Int, text: String) {
    #expect(HumanText.bytes(value) == text)
  }

  @Test(arguments: [(0, "0 B/s"), (999, "999 B/s"), (1000, "1.0 kB/s"), (12_345_678, "12.3 MB/s"), (999_960_000, "1.00 GB/s")])
  func `rates of bytes are in powers of ten`(value: Double, text: String) {
    #expect(HumanText.byteRate(value) == text)
  }

  @Test(arguments: [(0.0, "0/s"), (0.26, "0.3/s"), (9.94, "9.9/s"), (9.96, "10/s"), (84_112, "84,112/s")])
  func `rates of records have a decimal while they are small`(value: Double, text: String) {
    #expect(HumanText.rate(value) == text)
  }

  @Test(arguments: [
    (-1.0, "0 ms"), (0.05, "50 ms"), (1.5, "1.5 s"), (45, "45 s"), (60, "1 min"), (61, "1 min 1 s"), (11_520, "3 h 12 min"),
    (187_200, "2 d 4 h"),
    (Double.infinity, "for ever"),
  ])
  func `durations have two units at most`(seconds: Double, text: String) {
    #expect(HumanText.duration(seconds: seconds) == text)
  }

  @Test(arguments: [
    (Int64(0), "1970-01-01T00:00:00.000Z"), (1_788_264_000_123_999_999, "2026-09-01T12:00:00.123Z"), (-1, "1969-12-31T23:59:59.999Z"),
    (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
  ])
  func `times are UTC to the millisecond`(nanoseconds: Int64, text: String) {
    #expect(HumanText.time(nanoseconds) == text)
  }
}

@Suite struct EscapingTests {
  @Test(arguments: [
    ("plain text", "plain text"), ("a\nb\tc\rd", "a\\nb\\tc\\rd"), ("\u{1B}[2J", "\\u{1b}[2J"), ("back\\slash", "back\\\\slash"),
    ("\u{9B}31m", "\\u{9b}31m"),
    ("\u{202E}gpj.exe", "\\u{202e}gpj.exe"), ("é → ü", "é → ü"), ("\0", "\\u{0}"),
    ("in\u{200B}vi\u{AD}si\u{FEFF}ble", "in\\u{200b}vi\\u{ad}si\\u{feff}ble"), ("\u{61C}\u{2066}\u{E0041}", "\\u{61c}\\u{2066}\\u{e0041}"),
  ])
  func `what a terminal obeys is written out`(text: String, escaped: String) {
    #expect(Escaping.escaped(text) == escaped)
  }

  @Test(arguments: [
    ("word", "word"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""), ("say \"hi\"", "\"say \\\"hi\\\"\""),
    ("a\nb", "\"a\\nb\""),
  ])
  func `a value that would not read as one word stands in quotes`(text: String, word: String) {
    #expect(Escaping.word(text) == word)
  }

  @Test func `a message of several lines keeps them`() {
    #expect(Escaping.lines("one\ntwo\u{7}") == "one\ntwo\\u{7}")
  }
}

@Suite struct JSONValueTests {
  private let value = JSONValue.object([
    ("name", .string("a\"b\\c\n\u{1}\u{2028}é")), ("n", .integer(UInt64.max)), ("rate", .decimal(1.5)), ("endless", .decimal(.infinity)),
    ("none", .null),
    ("list", .array([.bool(true), .bool(false)])), ("empty", .array([])), ("nothing", .object([])),
  ])

  @Test func `a line has no spaces and keeps the order of keys`() {
    #expect(
      value.line
        == #"{"name":"a\"b\\c\n\u0001\u2028é","n":18446744073709551615,"rate":1.500,"endless":null,"none":null,"list":[true,false],"empty":[],"nothing":{}}"#
    )
  }

  @Test func `several lines are indented by two`() {
    #expect(
      JSONValue.object([("a", .array([.integer(1), .integer(2)])), ("b", .object([]))]).pretty == """
        {
          "a": [
            1,
            2
          ],
          "b": {}
        }
        """)
  }
}

@Suite struct TextTableTests {
  @Test func `numbers stand to the right and words to the left`() {
    var table = TextTable(("NAME", .left), ("LAG", .right), ("NOTE", .left))
    table.add("archive", "0", "")
    table.add("x", "1,204,113", "be\u{1B}hind")
    #expect(
      table.text(indent: "  ") == """
          NAME           LAG  NOTE
          archive          0
          x        1,204,113  be\\u{1b}hind

        """)
  }
}

@Suite struct HazardTests {
  @Test func `JSON has neither what a terminal obeys nor what can't be seen, and means the same`() throws {
    let text = "\u{1B}\u{7F}\u{9B}\u{AD}\u{61C}\u{200D}\u{202E}\u{2028}\u{2069}\u{FEFF}\u{E0041}é\u{1F600}"
    #expect(
      JSONValue.string(text).line
        == #""\u001b\u007f\u009b\u00ad\u061c\u200d\u202e\u2028\u2069\ufeff\udb40\udc41é"# + "\u{1F600}\"")
  }
}
