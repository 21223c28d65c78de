import SystemPackage
import Testing

@testable import FileTailSource

@Suite struct GlobTests {
  static let names: [(pattern: String, name: String, matches: Bool)] = [
    ("*", "app.log", true), ("*", ".hidden", false), (".*", ".hidden", true), ("*.log", "app.log", true), ("*.log", "app.log.1", false),
    ("*.log*", "app.log.1", true), ("app.log", "app.log", true), ("app?log", "app.log", true), ("app?log", "applog", false),
    ("?", "ä", true), ("?", "ab", false), ("[a-c]", "b", true), ("[a-c]", "d", false), ("[!a-c]", "d", true), ("[^a-c]", "a", false),
    ("[]x]", "]", true), ("[a-]", "-", true), ("[à-ü]", "ä", true), ("[!a]*", "ä.log", true), ("a\\*b", "a*b", true),
    ("a\\*b", "axb", false),
    ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false), ("a*b*c", "aXbYc", true), ("a*b*c", "aXcYb", false), ("**x", "abx", true),
    ("\\[x\\]*", "[x]y", true),
    ("[\\]]", "]", true), ("app-[0-9][0-9].log", "app-07.log", true), ("app-[0-9][0-9].log", "app-7.log", false), ("*", "", true),
  ]

  @Test(arguments: names.indices) func `a name matches a pattern as a shell has it`(_ index: Int) throws {
    let row = Self.names[index]
    let pattern = try GlobPattern(row.pattern)
    #expect(GlobPattern.matches(pattern.components[0], Array(row.name.utf8)) == row.matches, "\(row.pattern) with \(row.name)")
  }

  @Test func `names that are no UTF-8 match too`() throws {
    let pattern = try GlobPattern("a?b*")
    #expect(GlobPattern.matches(pattern.components[0], [0x61, 0xFF, 0x62, 0xC3]))
  }

  static let paths: [(pattern: String, path: String, matches: Bool)] = [
    ("/var/log/*.log", "/var/log/a.log", true), ("/var/log/*.log", "/var/log/x/a.log", false),
    ("/var/log/**/*.log", "/var/log/a.log", true),
    ("/var/log/**/*.log", "/var/log/x/y/a.log", true), ("/var/**/x/**/a.log", "/var/log/x/a.log", true),
    ("/var/**/x/**/a.log", "/var/log/y/a.log", false),
    ("log/*.log", "/var/log/a.log", true), ("log/*.log", "/log/a.log", false), ("debug*", "/var/log/debug.log", true),
    ("*.gz", "/a/b/.c.gz", true), ("/var/log/**", "/var/log/deep/er/file", true),
    ("/var/log/**", "/var/lib/file", false),
  ]

  @Test(arguments: paths.indices) func `an exclusion matches a path`(_ index: Int) throws {
    let row = Self.paths[index]
    let search = GlobSearch(patterns: [], exclusions: [try GlobPattern(row.pattern)], workingDirectory: "/var")
    #expect(search.isExcluded(FilePath(row.path)) == row.matches, "\(row.pattern) with \(row.path)")
  }

  @Test(arguments: ["", "logs/", "a[b", "a\u{0}b"]) func `a pattern that can't be used is refused with the remedy`(_ text: String) {
    #expect(throws: FileTailError.self) { try GlobPattern(text) }
  }

  static let searches: [(paths: [String], exclude: [String], found: [String])] = [
    (["*.log"], [], ["a.log", "b.log"]), (["**/*.log"], [], ["a.log", "b.log", "x/c.log", "x/y/d.log"]), (["x/*.log"], [], ["x/c.log"]),
    (["*/*.log"], [], ["x/c.log"]), (["**/*.log"], ["x/**"], ["a.log", "b.log"]), (["**/*.log"], ["d.log", "b*"], ["a.log", "x/c.log"]),
    (["**"], ["*.log"], ["x/y/e.txt"]), (["./a.log", "a.log", "[a]*"], [], ["a.log"]), (["x/../b.log"], [], ["x/../b.log"]),
    (["nothing*"], [], []),
    (["no/such/*.log"], [], []), ([".hidden/*.log"], [], [".hidden/f.log"]), (["x/**/d.log"], [], ["x/y/d.log"]),
    (["**/y/**/*.log"], [], ["x/y/d.log"]),
  ]

  @Test(arguments: searches.indices) func `a search finds what patterns name and exclusions leave`(_ index: Int) throws {
    let row = Self.searches[index]
    let scenario = try TailScenario()
    for directory in ["x", "x/y", ".hidden"] { scenario.makeDirectory(directory) }
    for name in ["a.log", "b.log", "x/c.log", "x/y/d.log", "x/y/e.txt", ".hidden/f.log"] { scenario.append(name, "\n") }
    scenario.run("ln", "-s", "..", scenario.path("x/loop"))
    let search = GlobSearch(
      patterns: try row.paths.map { try GlobPattern($0) }, exclusions: try row.exclude.map { try GlobPattern($0) },
      workingDirectory: scenario.directory)
    let prefix = scenario.directory.string + "/"
    #expect(search.run().files.map { String($0.path.string.dropFirst(prefix.count)) } == row.found)
  }

  @Test func `what can't be read as a file is skipped with one warning each`() async throws {
    let scenario = try TailScenario(paths: ["*"])
    scenario.append("a.log", "one\n")
    scenario.run("mkfifo", scenario.path("pipe"))
    scenario.makeDirectory("directory")
    scenario.run("ln", "-s", "nowhere", scenario.path("dangling"))
    scenario.run("ln", "-s", "loop", scenario.path("loop"))
    scenario.run("ln", "-s", "/dev/zero", scenario.path("device"))
    scenario.run("python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", scenario.path("socket"))
    for _ in 0..<3 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == "one\n")
    for what in ["a named pipe", "a directory", "a symbolic link to nothing", "a symbolic link that leads back", "a device", "a socket"] {
      #expect(scenario.logs.count(what) == 1, "\(what)")
    }
  }
}
