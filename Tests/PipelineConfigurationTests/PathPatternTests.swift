import Testing

@testable import PipelineConfiguration

@Suite("Two paths") struct PathPatternTests {
  @Test(arguments: [
    ("out/a.log", "out/a.log", true), ("out/a.log", "./out//a.log", true), ("out/a.log", "/w/out/a.log", true),
    ("out/a.log", "out/b.log", false),
    ("out/a-%Y.log", "out/a-2026.log", true), ("out/a-%Y.log", "out/a-26.log", false), ("out/a-%Y.log", "out/a-%m%d.log", true),
    ("out/%Y/a.log", "out/2026/a.log", true), ("out/%Y%m.log", "out/%m%Y.log", true), ("out/a.log", "out/a.0001.log", true),
    ("out/a.log", "out/a.00012.log", true), ("out/a.log", "out/a.001.log", false), ("out/a.log.gz", "out/a.0001.log.gz", true),
    ("out/a.log.gz", "out/a.log.0001.gz", false), ("out/a", "out/a.0001", true), ("out/a-%Y.%m", "out/a-2026.01.0007", true),
    ("out/100%%", "out/100%%.0001", true), ("out/a-%Y.log", "out/a-%Y.%m%d.log", true), ("out/a/b.log", "out/a", false),
  ]) func `of outputs are told apart`(one: String, other: String, meet: Bool) {
    let first = PathPattern(template: one, directory: "/w")
    let second = PathPattern(template: other, directory: "/w")
    #expect(first.meets(second) == meet)
    #expect(second.meets(first) == meet)
  }

  @Test(arguments: [
    ("out/a.log", "out/*.log", true), ("out/a.log", "/w/out/?.log", true), ("out/a.log", "out/[a-c].log", true),
    ("out/a.log", "*.log", false),
    ("out/a.log", "**/*.log", true), ("out/x/a.log", "out/**/*.log", true), ("out/a.log", "out/**/*.log", true),
    ("out/a.log", "out/**", true),
    ("out/a.log", "out/*/*.log", false), ("out/a-%Y.log", "out/a-20??.log", true), ("out/a.log", "out/a.[0-9][0-9][0-9][0-9].log", true),
    ("out/a.log.gz", "out/*.log", false), ("out/[a.log", "out/[a.log", true), ("out/a.log", "/**", true),
  ]) func `of an output and a glob are told apart`(template: String, glob: String, meet: Bool) {
    let output = PathPattern(template: template, directory: "/w")
    #expect(output.meets(PathPattern(glob: glob, directory: "/w")) == meet)
  }

  @Test func `are compared in bounded time, however many stars they have`() {
    let glob = PathPattern(glob: String(repeating: "*a", count: 500), directory: "/")
    let output = PathPattern(template: String(repeating: "a", count: 1000) + "b", directory: "/")
    #expect(!output.meets(glob))
  }
}
