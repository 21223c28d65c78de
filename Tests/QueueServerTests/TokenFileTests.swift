import Glibc
import TestSupport
import Testing

@testable import QueueServer

private let digest = String(repeating: "ab", count: 32)
private let other = String(repeating: "cd", count: 32)

@Suite("The file of tokens") struct TokenFileTests {
  private func problems(_ text: String) -> [String] {
    do throws(TokenFileError) {
      _ = try TokenFile.table(of: Array(text.utf8), file: "tokens")
      return []
    } catch {
      return error.lines
    }
  }

  @Test func `has a token a line, comments and blank lines`() throws {
    let text = "# ours\n\nweb read@app-logs,write@app-* sha256:\(digest)\r\n\t ops  admin@*\tsha256:\(other.uppercased()) # Ann\n  # end"
    let table = try TokenFile.table(of: Array(text.utf8), file: "tokens")
    #expect(table.bearers.map(\.name) == ["web", "ops"])
    #expect(table.bearers[0].grants.map(\.description) == ["read@app-logs", "write@app-*"])
    #expect(table.bearers[1].grants.map(\.description) == ["admin@*"])
  }

  @Test func `may be empty`() throws {
    #expect(try TokenFile.table(of: [], file: "tokens").bearers.isEmpty)
  }

  @Test func `is told all that is wrong with it, each with its place`() {
    let text = """
      web read@app-logs
      Web read@a,reed@b,write@,admin sha256:\(digest)
      web read@* sha256:\(digest)
      ops read@* sha256:\(digest)
      web read@* sha256:\(other)
      x read@* sluice_secret
      y read@* sha256:\(digest.dropLast())g
      """
    let found = problems(text)
    #expect(
      found == [
        "tokens:1:1: expected NAME SCOPES sha256:HEX, got 2 fields; 'sluice token NAME --scope read@QUEUE' makes a token and its line",
        "tokens:2:1: expected a name of a-z, 0-9, '.', '_' and '-', at most 64 long, got 'Web'",
        "tokens:2:12: expected \(Grant.expected), got 'reed@b'",
        "tokens:2:19: expected \(Grant.expected), got 'write@'",
        "tokens:2:26: expected \(Grant.expected), got 'admin'",
        "tokens:3:12: the same token stands in line 2; remove one of the lines",
        "tokens:4:12: the same token stands in line 2; remove one of the lines",
        "tokens:5:1: the name 'web' is taken in line 3; give each token its own, so that logs tell them apart",
        "tokens:6:10: expected sha256: and 64 hexadecimal digits, the digest of the token and not the token; 'sluice token NAME --scope read@QUEUE' makes a token and its line",
        "tokens:7:10: expected sha256: and 64 hexadecimal digits, the digest of the token and not the token; 'sluice token NAME --scope read@QUEUE' makes a token and its line",
      ])
    #expect(!found.joined().contains("secret"))
  }

  @Test func `of any other kind is told in a few lines`() {
    #expect(problems(String(repeating: "x\n", count: 10_000)).count == TokenFile.maximumProblems)
  }

  @Test(arguments: [
    (0o644, "others may read it (mode 0644)"), (0o602, "others may write it (mode 0602)"), (0o660, "its group may write it (mode 0660)"),
    (0o666, "others may read it (mode 0666)"),
  ])
  func `that others reach is refused`(mode: UInt32, what: String) throws {
    let directory = TemporaryDirectory()
    let file = "\(directory.path)/tokens"
    try write("", to: file, mode: mode)
    let error = #expect(throws: TokenFileError.self) { try TokenFile.read(file) }
    #expect(
      error?.description
        == "\(file): \(what), and who can, can get in; run 'chmod 600 \(file)', or 640 when a group has to read it")
  }

  @Test(arguments: [0o600, 0o640, 0o400, 0o700]) func `that others don't reach is taken`(mode: UInt32) throws {
    let directory = TemporaryDirectory()
    try write("web read@* sha256:\(digest)\n", to: "\(directory.path)/tokens", mode: mode)
    #expect(try TokenFile.read("\(directory.path)/tokens").bearers.count == 1)
  }

  @Test func `that isn't one is refused without waiting`() throws {
    let directory = TemporaryDirectory()
    #expect(mkfifo("\(directory.path)/pipe", 0o600) == 0)
    for (name, word) in [("pipe", "no regular file"), ("", "no regular file"), ("missing", "--append"), ("a\0b", "NUL")] {
      let error = #expect(throws: TokenFileError.self) { try TokenFile.read("\(directory.path)/\(name)") }
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
    try write(String(repeating: "#", count: TokenFile.maximumBytes + 1), to: "\(directory.path)/large", mode: 0o600)
    let error = #expect(throws: TokenFileError.self) { try TokenFile.read("\(directory.path)/large") }
    #expect(error?.description.contains("more than 1 MiB") == true)
  }

  @Test func `takes a new token's line, and is made for its user only`() throws {
    let directory = TemporaryDirectory()
    let file = "\(directory.path)/tokens"
    let web = NewToken(name: "web", grants: [Grant("read@app-logs")!, Grant("write@*")!])
    try web.append(to: file)
    var status = stat()
    #expect(stat(file, &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o600)
    let ops = NewToken(name: "ops", grants: [Grant("admin@*")!])
    try ops.append(to: file)
    let table = try TokenFile.read(file)
    #expect(table.bearer(of: web.token[...])?.name == "web")
    #expect(table.bearer(of: ops.token[...])?.name == "ops")
    let error = #expect(throws: TokenFileError.self) { try NewToken(name: "web", grants: [Grant("read@*")!]).append(to: file) }
    #expect(error?.lines == ["\(file):3:1: the name 'web' is taken in line 1; give each token its own, so that logs tell them apart"])
    #expect(try TokenFile.read(file) == table)
  }

  @Test func `a last line without a line feed stays a line`() throws {
    let directory = TemporaryDirectory()
    let file = "\(directory.path)/tokens"
    try write("ops admin@* sha256:\(digest)", to: file, mode: 0o600)
    try NewToken(name: "web", grants: [Grant("read@*")!]).append(to: file)
    #expect(try TokenFile.read(file).bearers.map(\.name) == ["ops", "web"])
  }

  @Test func `nothing is added to what isn't a file of tokens, or what others reach`() throws {
    let directory = TemporaryDirectory()
    let new = NewToken(name: "web", grants: [Grant("read@*")!])
    try write("hosts: files\n", to: "\(directory.path)/nsswitch", mode: 0o600)
    #expect(throws: TokenFileError.self) { try new.append(to: "\(directory.path)/nsswitch") }
    try write("", to: "\(directory.path)/open", mode: 0o644)
    #expect(throws: TokenFileError.self) { try new.append(to: "\(directory.path)/open") }
    #expect(throws: TokenFileError.self) { try new.append(to: "\(directory.path)/missing/tokens") }
    #expect(throws: TokenFileError.self) { try new.append(to: "\(directory.path)") }
  }
}

/// Writes a file with exactly this mode.
func write(_ text: String, to path: String, mode: UInt32) throws {
  let file = try #require(fopen(path, "w"))
  defer { fclose(file) }
  #expect(fputs(text, file) >= 0)
  #expect(fchmod(fileno(file), mode) == 0)
}
