import Glibc
import HTTPTypes
import Logging
import Synchronization
import TestSupport
import Testing

@testable import QueueServer

@Suite("Access") struct AccessTests {
  private func access(_ grants: String...) -> Access { .bearer(.init(name: "web", grants: grants.map { Grant($0)! })) }

  @Test func `is as wide as the token's scopes`() {
    let one = access("read@app-logs")
    #expect(one.allows(.read, queue: "app-logs"))
    #expect(one.allows(.read, queue: "app-logs.dead-letters"))
    #expect(!one.allows(.read, queue: "app-logs2"))
    #expect(!one.allows(.read, queue: "app"))
    #expect(!one.allows(.write, queue: "app-logs"))
    #expect(!one.allows(.admin, queue: "app-logs"))
    #expect(!one.allows(.read, queue: nil))
    let many = access("write@app-*", "read@*")
    #expect(many.allows(.write, queue: "app-"))
    #expect(many.allows(.write, queue: "app-logs"))
    #expect(!many.allows(.write, queue: "app"))
    #expect(!many.allows(.write, queue: nil))
    #expect(many.allows(.read, queue: "anything"))
    #expect(many.allows(.read, queue: nil))
    let admin = access("admin@a")
    for scope in Scope.allCases { #expect(admin.allows(scope, queue: "a")) }
    #expect(!admin.allows(.read, queue: "b"))
    #expect(!access("admin@a-*").allows(.admin, queue: nil))
    for scope in Scope.allCases { #expect(Access.unrestricted.allows(scope, queue: nil)) }
  }

  @Test(arguments: [
    "", "read", "read@", "@a", "read@a@b", "Read@a", "read@A", "read@a*b", "read@**", "read@-a", "read@a b", "all@a", "read@.*",
  ])
  func `is not granted by`(text: String) {
    #expect(Grant(text) == nil)
  }

  @Test func `without a token, with a wrong one, and with too narrow a one is told apart`() throws {
    #expect(Access.unrestricted.refusal(.admin, queue: nil) == nil)
    #expect(access("read@a").refusal(.read, queue: "a") == nil)
    let none = try #require(Access.noToken.refusal(.read, queue: "a"))
    #expect(none.status == .unauthorized)
    #expect(none.fields[.wwwAuthenticate] == #"Bearer realm="sluice""#)
    let unknown = try #require(Access.unknownToken.refusal(.read, queue: "a"))
    #expect(unknown.status == .unauthorized)
    #expect(unknown.fields[.wwwAuthenticate] == #"Bearer realm="sluice", error="invalid_token""#)
    let narrow = try #require(access("read@a").refusal(.write, queue: "a"))
    #expect(narrow.status == .forbidden)
    #expect(narrow.code == "forbidden")
    #expect(narrow.detail.contains("'web' doesn't have the scope write@a"))
    #expect(narrow.fields[.wwwAuthenticate] == #"Bearer realm="sluice", error="insufficient_scope", scope="write@a""#)
    #expect(access("read@a").refusal(.admin, queue: nil)?.detail.contains("admin@*") == true)
  }

  @Test func `a queue's name can't break out of the answer's header`() throws {
    let refusal = try #require(access("read@a").refusal(.read, queue: "\"\r\nX: y"))
    #expect(refusal.fields[.wwwAuthenticate] == #"Bearer realm="sluice", error="insufficient_scope""#)
  }
}

@Suite("A new token") struct NewTokenTests {
  @Test func `is known by its digest, which is SHA-256 of its text`() {
    let new = NewToken(name: "web", grants: [Grant("read@a")!, Grant("write@b-*")!], random: Array(0..<32))
    #expect(new.token == "sluice_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
    // printf %s sluice_AAEC… | sha256sum
    #expect(new.line == "web read@a,write@b-* sha256:ad226bbbb15047d08e1f9c28b4683275cf5c56e9c78508f4f4e6b20b1270504e")
  }

  @Test func `is another one each time`() {
    let tokens = (0..<100).map { _ in NewToken(name: "web", grants: [Grant("read@a")!]).token }
    #expect(Set(tokens).count == 100)
    #expect(tokens.allSatisfy { $0.utf8.count == 7 + 43 })
  }

  @Test func `needs a name and a scope`() {
    #expect(NewToken.problem(name: "web", grants: [Grant("read@a")!]) == nil)
    #expect(NewToken.problem(name: "We b", grants: [Grant("read@a")!])?.contains("a-z") == true)
    #expect(NewToken.problem(name: "web", grants: [])?.contains("--scope") == true)
  }
}

@Suite("Access tokens") struct AccessTokensTests {
  private let directory: TemporaryDirectory
  private let log = RecordedLog()
  private var file: String { "\(directory.path)/tokens" }

  init() { directory = TemporaryDirectory() }

  private func tokens() throws -> AccessTokens { try AccessTokens(file: file, logger: log.logger, interval: nil) }

  @Test func `are asked for as RFC 6750 says`() throws {
    let new = NewToken(name: "web", grants: [Grant("read@a")!])
    try new.append(to: file)
    let tokens = try tokens()
    #expect(tokens.access(authorization: "Bearer \(new.token)").name == "web")
    #expect(tokens.access(authorization: "bearer  \(new.token)").allows(.read, queue: "a"))
    for wrong in [
      "Bearer \(new.token)x", "Bearer " + String(new.token.dropLast()), "Bearer x", "Bearer " + String(repeating: "x", count: 10_000),
    ] {
      let access = tokens.access(authorization: wrong)
      #expect(access.name == nil)
      #expect(access.refusal(.read, queue: "a")?.fields[.wwwAuthenticate]?.contains("invalid_token") == true, "\(wrong.prefix(80))")
    }
    for none in [nil, "", "Bearer", "Bearer ", new.token, "Basic d2ViOng=", "Bearer a b"] {
      #expect(tokens.access(authorization: none).refusal(.read, queue: "a")?.fields[.wwwAuthenticate] == #"Bearer realm="sluice""#)
    }
  }

  @Test func `are each found among many`() throws {
    let all = (0..<50).map { NewToken(name: "t\($0)", grants: [Grant("read@q\($0)")!]) }
    try write(all.map(\.line).joined(separator: "\n"), to: file, mode: 0o600)
    let tokens = try tokens()
    for (number, new) in all.enumerated() { #expect(tokens.access(authorization: "Bearer \(new.token)").name == "t\(number)") }
  }

  @Test func `come and go with the file`() throws {
    let (first, second) = (NewToken(name: "first", grants: [Grant("read@a")!]), NewToken(name: "second", grants: [Grant("read@a")!]))
    try first.append(to: file)
    let tokens = try tokens()
    #expect(tokens.access(authorization: "Bearer \(second.token)").name == nil)
    try second.append(to: file)
    tokens.look()
    #expect(tokens.access(authorization: "Bearer \(second.token)").name == "second")
    try write(second.line, to: file, mode: 0o600)
    tokens.look()
    #expect(tokens.access(authorization: "Bearer \(first.token)").name == nil)
    try write("", to: file, mode: 0o600)
    tokens.look()
    #expect(tokens.access(authorization: "Bearer \(second.token)").name == nil)
    #expect(
      log.messages == [
        "notice: access tokens were read again", "notice: access tokens were read again", "notice: access tokens were read again",
        "warning: the file of access tokens holds none: every request will be refused",
      ])
  }

  @Test func `stay as they were while the file is wrong, which is said once`() throws {
    let new = NewToken(name: "web", grants: [Grant("read@a")!])
    try new.append(to: file)
    let tokens = try tokens()
    try write("nonsense\n", to: file, mode: 0o600)
    for _ in 0..<3 { tokens.look() }
    try write(new.line, to: file, mode: 0o644)
    for _ in 0..<3 { tokens.look() }
    #expect(remove(file) == 0)
    for _ in 0..<3 { tokens.look() }
    #expect(tokens.access(authorization: "Bearer \(new.token)").name == "web")
    let complaint = "error: the file of access tokens can't be used; the tokens read before stay valid until it is right"
    #expect(log.messages == [complaint, complaint, complaint])
    try write(new.line, to: file, mode: 0o600)
    tokens.look()
    #expect(log.messages.last == "notice: access tokens were read again")
  }

  @Test func `need a file at the start`() throws {
    #expect(throws: TokenFileError.self) { try tokens() }
  }
}

/// A logger that keeps `LEVEL: message`.
struct RecordedLog {
  private final class Lines: Sendable {
    let all = Mutex<[String]>([])
  }

  private struct Handler: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.MetadataValue? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.level): \(event.message)") } }
  }

  private let lines = Lines()
  var messages: [String] { lines.all.withLock { $0 } }
  var logger: Logger {
    let lines = self.lines
    return Logger(label: "test") { _ in Handler(lines: lines) }
  }
}
