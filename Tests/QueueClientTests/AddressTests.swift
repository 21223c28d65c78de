import Foundation
import Testing

@testable import QueueClient

@Suite struct `Addresses, tokens and offsets` {
  @Test(arguments: [
    ("http://127.0.0.1:7171", "http://127.0.0.1:7171"), ("logs.example:7171/", "http://logs.example:7171"),
    ("https://logs.example/sluice", "https://logs.example/sluice"), ("http://[::1]:7171", "http://[::1]:7171"),
    ("unix:/run/app/server.sock", "http+unix://%2Frun%2Fapp%2Fserver.sock"), ("unix:///run/s p.sock", "http+unix://%2Frun%2Fs%20p.sock"),
  ])
  func `every documented form of an address is understood`(text: String, base: String) throws {
    #expect(try ServerAddress(text).base == base)
  }

  @Test(arguments: [
    "", "ftp://h", "http://", "http://h:0", "http://h:99999", "http://h:x", "http://h?x=1", "http://h/a b", "unix:relative.sock",
    "http://[::1",
    "http://h\n",
  ])
  func `what is no address is refused with what to give`(text: String) {
    let error = #expect(throws: QueueClientError.self) { try ServerAddress(text) }
    #expect(error?.code == .configuration)
    #expect(error?.remedy.isEmpty == false)
  }

  @Test func `a password in an address is refused and not quoted`() {
    let error = #expect(throws: QueueClientError.self) { try ServerAddress("http://user:s3cr3t@h:1") }
    #expect(error.map { !"\($0)".contains("s3cr3t") } == true)
  }

  @Test func `an offset with its epoch is read and written, and nothing else is one`() {
    #expect(WireOffset("12-3456") == WireOffset(epoch: 12, offset: 3456))
    #expect(WireOffset(epoch: 12, offset: 3456).description == "12-3456")
    for wrong in ["", "-", "1-", "-1", "1", "1-2-3", "+1-2", "1-+2", "4294967296-1", "1-18446744073709551616", "a-b", "1 -2"] {
      #expect(WireOffset(wrong) == nil, "\(wrong)")
    }
  }

  @Test func `a token is one line of a file, and none of its descriptions shows it`() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/token"
    try Data("t0ken-4711\n".utf8).write(to: URL(fileURLWithPath: path))
    let token = try BearerToken(file: path)
    #expect(token.value == "t0ken-4711")
    var dumped = ""
    dump(token, to: &dumped)
    for text in ["\(token)", String(reflecting: token), dumped] { #expect(!text.contains("4711"), "\(text)") }
  }

  @Test(arguments: ["", "\n", "two\nlines\n", "with blank", "ümlaut", String(repeating: "a", count: 5000)])
  func `a file that holds no token is refused, and its content is not shown`(content: String) throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/token"
    try Data(content.utf8).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: QueueClientError.self) { try BearerToken(file: path) }
    #expect(error.map { $0.sentence.contains(path) && (content.count < 3 || !"\($0)".contains(content)) } == true)
    #expect(throws: QueueClientError.self) { try BearerToken(file: folder.path) }
    #expect(throws: QueueClientError.self) { try BearerToken(file: folder.path + "/missing") }
  }

  @Test func `waits grow to a bound, jitter over all of it, and never undercut what the server asks`() {
    let policy = RetryPolicy(initial: .seconds(1), longest: .seconds(60), patience: nil)
    #expect((1...8).map { policy.wait(failures: $0, retryAfter: nil, random: 1) } == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
    #expect(policy.wait(failures: 100, retryAfter: nil, random: 0.5) == .seconds(30))
    #expect(policy.wait(failures: 5, retryAfter: nil, random: 0) == .zero)
    #expect(policy.wait(failures: 1, retryAfter: .seconds(7), random: 0) == .seconds(7))
    #expect(policy.wait(failures: 9, retryAfter: .seconds(7), random: 1) == .seconds(8))
  }
}
