import HTTPTypes
import PipelineCore
import Testing

@testable import QueueServer

private let loopback = ServerAddress.standard
private let network = ServerAddress.internet(host: "0.0.0.0", port: 7171)

@Suite("Where the server may listen") struct ListenRuleTests {
  private func verdict(_ text: String, tokens: Bool = false, tls: Bool = false, insecure: Bool = false) throws -> ListenRule.Verdict {
    ListenRule(address: try #require(ServerAddress(text: text)), hasTokens: tokens, hasTLS: tls, isInsecure: insecure).verdict
  }

  @Test(arguments: ["127.0.0.1", "127.1.2.3:80", "[::1]", "localhost:1", "unix:/run/s"]) func `on this machine it may`(address: String)
    throws
  {
    #expect(try verdict(address) == .allowed)
    #expect(try verdict(address, tokens: true) == .allowed)
  }

  @Test(arguments: ["0.0.0.0", "[::]", "192.0.2.1", "[2001:db8::1]:80"]) func `elsewhere it needs tokens or a word for it`(address: String)
    throws
  {
    guard case .refused(let sentence) = try verdict(address, tls: true) else {
      Issue.record("it may")
      return
    }
    for remedy in ["tokens: FILE", "sluice token", "127.0.0.1", "--insecure", "insecure: true"] { #expect(sentence.contains(remedy)) }
    #expect(try verdict(address, insecure: true) == .allowed)
    #expect(try verdict(address, tokens: true, tls: true) == .allowed)
    guard case .warned(let warning) = try verdict(address, tokens: true) else {
      Issue.record("no warning")
      return
    }
    #expect(warning.contains("plain text"))
    #expect(try verdict(address, tokens: true, insecure: true) == .allowed)
  }
}

@Suite("A web page of others") struct SiteRuleTests {
  private func code(
    _ method: HTTPRequest.Method = .get, _ path: String = "/v1/queues", host: String? = "127.0.0.1:7171", fields: HTTPFields = [:],
    at address: ServerAddress = loopback, tokens: Bool = false
  ) -> String? {
    let request = HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: fields)
    return SiteRule(address: address, hasTokens: tokens).refusal(request)?.code
  }

  private func site(_ value: String) -> HTTPFields { [HTTPField.Name("Sec-Fetch-Site")!: value] }

  @Test(arguments: [
    "localhost", "LOCALHOST:7171", "127.0.0.1", "127.0.0.1:9000", "127.9.9.9:1", "[::1]", "[::1]:7171", "[0:0:0:0:0:0:0:1]", "localhost:",
  ])
  func `a name of the loopback is answered`(host: String) {
    #expect(code(host: host) == nil)
  }

  @Test(arguments: [
    "evil.example", "evil.example:7171", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0:7171", "[::]", "", "user@localhost",
    "localhost:80@evil.example", "[::1].evil.example", "[::1", "::1", "localhost:a", "127.0.0.1evil", "192.168.0.1", "[127.0.0.1]",
  ])
  func `that made its own name point here is refused`(host: String) {
    #expect(code(host: host) == "wrong_host")
    #expect(code(.post, host: host) == "wrong_host")
  }

  @Test func `needs no name where nobody can tell which, or where tokens guard`() {
    #expect(code(host: "logs.example", at: network) == nil)
    #expect(code(host: "logs.example", tokens: true) == nil)
    #expect(code(host: "localhost", at: .unix(path: "/run/s")) == nil)
    #expect(code(host: nil) == nil)
  }

  @Test(arguments: [HTTPRequest.Method.post, .put, .delete, .patch]) func `can't change anything`(method: HTTPRequest.Method) {
    for foreign in ["cross-site", "same-site", "unheard-of"] { #expect(code(method, fields: site(foreign)) == "cross_site") }
    for own in ["same-origin", "none"] { #expect(code(method, fields: site(own)) == nil) }
    for foreign in ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:7172", "http://localhost:7171", ""] {
      #expect(code(method, fields: [.origin: foreign]) == "cross_site", "\(foreign)")
    }
    #expect(code(method, fields: [.origin: "http://127.0.0.1:7171"]) == nil)
    #expect(code(method, host: "localhost:7171", fields: [.origin: "HTTP://LOCALHOST:7171"]) == nil)
    #expect(code(method, fields: site("cross-site"), at: network) == "cross_site")
    #expect(code(method, fields: site("cross-site"), tokens: true) == "cross_site")
    #expect(code(method) == nil)
  }

  @Test func `can't move a consumer by an image or a link either`() {
    let pull = "/v1/queues/a/records?consumer=c&commit=1-5"
    #expect(code(.get, pull, fields: site("cross-site")) == "cross_site")
    #expect(code(.head, pull, fields: site("cross-site")) == "cross_site")
    // Nor may it take places among those who listen.
    let listening: HTTPFields = [.accept: "text/event-stream", .init("Sec-Fetch-Site")!: "cross-site"]
    #expect(code(.get, "/v1/status", fields: listening) == "cross_site")
    #expect(code(.get, pull) == nil)
    #expect(code(.get, pull, fields: site("same-origin")) == nil)
  }

  @Test func `may link to the first page`() {
    #expect(code(.get, "/", fields: site("cross-site")) == nil)
  }
}
