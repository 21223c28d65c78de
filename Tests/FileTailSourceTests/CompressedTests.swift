import Glibc
import Testing

@testable import FileTailSource

@Suite struct CompressedTests {
  @Test(arguments: [5, 200, 30_000], [false, true]) func `a compressed file goes on at the same decompressed position`(
    _ count: Int, _ isDown: Bool
  ) async throws {
    let scenario = try TailScenario(paths: ["app.log*"])
    scenario.append("app.log", lines("a", 0..<count))
    try await scenario.pass()
    if isDown { scenario.stop() }
    scenario.append("app.log", lines("a", count..<count * 2))
    if !isDown { try await scenario.pass() }
    scenario.rename("app.log", "app.log.1")
    scenario.gzip("app.log.1")
    scenario.append("app.log", lines("b", 0..<count))
    for _ in 0..<4 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<count * 2) + lines("b", 0..<count))
    scenario.stop()
    for _ in 0..<2 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<count * 2) + lines("b", 0..<count), "nothing again after a restart")
  }

  @Test func `a compressed file of several members with an unended last line is read whole`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"])
    for part in 0..<3 {
      scenario.append("part\(part)", lines("p", part * 5000..<(part + 1) * 5000) + (part == 2 ? "unended" : ""))
      scenario.gzip("part\(part)")
    }
    scenario.run(
      "sh", "-c",
      "cd \(scenario.path(".")) && cat part0.gz part1.gz part2.gz > all && rm part* && head -c 512 /dev/zero >> all && mv all all.gz")
    try await scenario.pass()
    #expect(scenario.text == lines("p", 0..<15_000) + "unended")
    #expect(scenario.logs.count("damaged") == 0)
  }

  @Test func `a compressed file that is still being written is read to where it is, and then on`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"])
    scenario.append("all", lines("p", 0..<40_000))
    scenario.gzip("all")
    scenario.run("sh", "-c", "cd \(scenario.path(".")) && mkdir t && mv all.gz t/whole && head -c 60000 t/whole > all.gz")
    try await scenario.pass()
    let sofar = scenario.text
    #expect(!sofar.isEmpty && lines("p", 0..<40_000).hasPrefix(sofar))
    scenario.run("sh", "-c", "cd \(scenario.path(".")) && tail -c +60001 t/whole >> all.gz")
    try await scenario.pass(after: .seconds(3))
    #expect(scenario.text == lines("p", 0..<40_000))
  }

  @Test func `what follows a whole member is damage only where gzip calls it that`() async throws {
    let scenario = try TailScenario()
    scenario.append("line", "a\n")
    scenario.append("nothing", "")
    scenario.gzip("line")
    scenario.gzip("nothing")
    func bytes(_ name: String) throws -> [UInt8] {
      let file = open(scenario.path(name), O_RDONLY)
      defer { close(file) }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let got = read(file, &buffer, buffer.count)
      return Array(buffer[..<max(0, got)])
    }
    let (line, nothing) = (try bytes("line.gz"), try bytes("nothing.gz"))
    let garbage = Array("garbage".utf8)
    let cases: [(behind: [UInt8], ending: GzipWindow.Ending)] = [
      ([], .complete), (garbage, .complete), ([UInt8](repeating: 0, count: 600), .complete), ([0x1F, 0x8B] + garbage, .damaged),
      ([0x1F], .open), (nothing, .complete), (nothing + garbage, .complete), (line + garbage, .complete), ([0x1F, 0x8C], .complete),
    ]
    for first in [line, nothing] {
      for (number, (behind, ending)) in cases.enumerated() {
        scenario.write("case.gz", first + behind, append: false)
        // gzip's own word: 0, 2 for a warning about what it ignores, 1 for an error.
        scenario.run("sh", "-c", "gzip -t \(scenario.path("case.gz")) 2>/dev/null; [ $(($? == 1)) = \(ending == .complete ? 0 : 1) ]")
        let file = open(scenario.path("case.gz"), O_RDONLY)
        defer { close(file) }
        let window = GzipWindow(file: file)
        var buffer = [UInt8](repeating: 0, count: 100)
        for _ in 0..<2 {
          let got = try buffer.withUnsafeMutableBytes { try window.read(into: $0, at: 0) }
          #expect(got % 2 == 0 && (got > 0) == (first == line || behind.starts(with: line)), "case \(number)")
          #expect(window.ending == ending, "case \(number) behind \(first.count) bytes")
        }
      }
    }
    let file = open(scenario.path("case.gz"), O_RDWR | O_TRUNC)
    defer { close(file) }
    _ = garbage.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
    let window = GzipWindow(file: file)
    var buffer = [UInt8](repeating: 0, count: 100)
    _ = try buffer.withUnsafeMutableBytes { try window.read(into: $0, at: 0) }
    #expect(window.ending == .damaged, "garbage from the beginning is no gzip file")
  }

  @Test func `damage is told once, and what stands before it is read`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"])
    scenario.append("all", lines("p", 0..<40_000))
    scenario.gzip("all")
    scenario.run(
      "sh", "-c",
      "cd \(scenario.path(".")) && printf 'XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX' | dd of=all.gz bs=1 seek=50000 conv=notrunc 2>/dev/null")
    for _ in 0..<3 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.logs.count("damaged") == 1)
    #expect(scenario.text.hasPrefix(lines("p", 0..<1000)))
  }

  @Test func `a name that says gzip on plain text is read as plain text`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"])
    scenario.append("odd.gz", "not compressed\n")
    try await scenario.pass()
    #expect(scenario.text == "not compressed\n")
  }

  @Test func `many compressed files are read with few open`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"])
    var expected: Set<String> = []
    for number in 0..<12 {
      let text = lines("file\(number)", 0..<2000)
      scenario.append("f\(number)", text)
      scenario.gzip("f\(number)")
      expected.formUnion(text.split(separator: "\n").map(String.init))
    }
    try await scenario.pass()
    #expect(Set(scenario.output.records) == expected)
    #expect(scenario.output.records.count == 24_000)
    #expect(scenario.engine?.open.isEmpty == true)
  }

  @Test func `data that inflates a thousandfold is read in bounded pieces`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"]) { $0.maxLineBytes = 1 << 20 }
    scenario.run("sh", "-c", "head -c 30000000 /dev/zero | gzip > \(scenario.path("bomb.gz"))")
    try await scenario.pass()
    #expect(scenario.output.writes.allSatisfy { $0.lines.count <= (1 << 20) + 1 })
    #expect(scenario.output.reproduced.count == 30_000_000)
  }
}
