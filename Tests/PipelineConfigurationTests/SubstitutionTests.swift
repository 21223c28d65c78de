import Testing

@testable import PipelineConfiguration

@Suite("Substitution") struct SubstitutionTests {
  private func path(_ text: String, environment: [String: String] = [:], files: [String: String] = [:]) throws -> String {
    try pipeline("queue: { path: \(text) }\nsources: { in: { type: stdin } }\n", environment: environment, files: files).queue.path
  }

  @Test(arguments: [
    ("${A}", "one"), ("x-${A}-${B}-y", "x-one-two words-y"), ("${A:-z}", "one"), ("${E:-z}", "z"), ("${U:-z}", "z"), ("${U:-}x", "x"),
    ("$${A}", "${A}"), ("$$${A}", "$${A}"), ("$A", "$A"), ("a$", "a$"), ("${file:/f}", "first\nsecond"), ("${U:-a:-b}", "a:-b"),
  ]) func `replaces what it knows, once`(text: String, expected: String) throws {
    var substitution = Substitution(environment: ["A": "one", "B": "two words", "E": ""]) { _, _ throws(ReadFailure) in
      Array("first\nsecond\n".utf8)
    }
    #expect(try substitution.apply(to: text).get().value == expected)
  }

  @Test func `happens after parsing, so a value is never structure`() throws {
    let evil = "x, name: evil }\nserver: {}\n# ${A} \" ' *a &b"
    #expect(
      try pipeline(
        "sources: { in: { type: file, paths: ['${EVIL:-x}'] } }\nqueue: { name: q }\n",
        environment: ["EVIL": evil.replacing("\n", with: " ")]
      ).sources[0].kind == .file(FileSourceDefinition(paths: [evil.replacing("\n", with: " ")])))
  }

  @Test func `what was put in is not looked at again`() throws {
    #expect(try path("'${A}'", environment: ["A": "${B}", "B": "no"]) == "${B}")
  }

  @Test func `a file loses one trailing line feed`() throws {
    #expect(try path("'data/${file:/run/name}'", files: ["/run/name": "host\n"]) == "data/host")
    #expect(throws: ConfigurationErrors.self) { try path("'data/${file:/run/name}'", files: ["/run/name": "host\n\n"]) }
  }

  @Test func `works in quotes of both kinds and in none`() throws {
    for text in ["'${A}'", "\"${A}\""] { #expect(try path(text, environment: ["A": "a b"]) == "a b") }
    #expect(try pipeline("queue:\n  path: ${A:-b}x\nsources: { in: { type: stdin } }", environment: ["A": "a b"]).queue.path == "a bx")
  }

  @Test func `needs quotes inside braces, as YAML does`() {
    let quotes = "not valid YAML: inside { } and [ ] a value with '${' must be in quotes: \"${NAME}\""
    #expect(mistakes("queue: { path: ${A} }\nsources: { in: { type: stdin } }", environment: ["A": "a"]) == ["p.yaml:1:17: \(quotes)"])
  }

  @Test func `an empty variable is not an unset one`() {
    #expect(mistakes("queue: { name: '${E}' }\nsources: { in: { type: stdin } }", environment: ["E": ""]).count == 1)
    #expect(mistakes("queue: { name: '${E:-p}' }\nsources: { in: { type: stdin } }", environment: ["E": ""]) == [])
  }

  @Test func `a secret file is small, and text`() {
    let yaml = "queue: { path: 'data/${file:/f}' }\nsources: { in: { type: stdin } }"
    #expect(
      mistakes(yaml, files: ["/f": String(repeating: "a", count: 65_537)]) == [
        "p.yaml:1:16: queue.path: cannot read '/f': it is larger than 64KiB"
      ])
    var files = TestFiles(["p.yaml": yaml])
    files.files["/f"] = [0xFF, 0xFE]
    #expect(files.mistakes() == ["p.yaml:1:16: queue.path: the file '/f' is not UTF-8"])
  }

  @Test func `many copies of a large file are refused`() {
    let paths = (0..<100).map { _ in "'${file:/f}'" }.joined(separator: ", ")
    let found = mistakes(
      "sources: { in: { type: file, paths: [\(paths)] } }", files: ["/f": String(repeating: "a/", count: 30_000)])
    #expect(found.contains { $0.hasSuffix("substitutions give more than 1MiB") })
  }
}
