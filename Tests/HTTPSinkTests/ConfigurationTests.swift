import HTTPSink
import Logging
import PipelineCore
import RecordBlocks
import Testing

@Suite struct `HTTP sink: configuration` {
  private func fault(_ url: String = "http://localhost/", _ change: (inout HTTPSink.Configuration) -> Void = { _ in }) -> HTTPSink
    .ConfigurationError?
  {
    var configuration = HTTPSink.Configuration(url: url)
    change(&configuration)
    do throws(HTTPSink.ConfigurationError) {
      _ = try HTTPSink(configuration, name: "s", logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    "http://localhost", "https://logs.example/ingest", "HTTP://Example.COM:80/x?y=z", "http://[::1]:8080/", "http://10.0.0.1",
    "https://u:p%40@h/",
    "http://h/a%20b?c=%7B",
  ])
  func `URLs that can work are accepted`(_ url: String) {
    #expect(fault(url) == nil)
  }

  @Test(arguments: [
    ("", "must begin"), ("localhost:80", "must begin"), ("ftp://h/", "must begin"), ("http+unix://x/", "must begin"),
    ("http://", "no host"),
    ("http:///path", "no host"), ("http://:80/", "no host"), ("http://h:0/", "port"), ("http://h:65536/", "port"), ("http://h:8x/", "port"),
    ("http://h:/", "port"), ("http://a b/", "blank"), ("http://h/ä", "beyond ASCII"), ("http://h/\r\nX: y", "control character"),
    ("http://h/#x", "fragment"),
    ("http://h/%zz", "'%'"), ("http://h/?a=%4", "'%'"), ("http://h%2e/", "host"), ("http://[::1/", "host"), ("http://a_b,c/", "host"),
  ])
  func `URLs that can't work are named`(_ url: String, _ expected: String) throws {
    let problem = try #require(fault(url))
    #expect(problem.key == "url")
    #expect(problem.message.contains(expected), "\(problem.message)")
  }

  @Test(arguments: ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\u{0}b", "\u{7F}", "\u{1B}[0m"])
  func `line breaks and control characters in a header's value are refused without showing it`(_ value: String) throws {
    let problem = try #require(fault { $0.headers = [.init("X-Key", "\(secret)\(value)")] })
    #expect(problem.key == "headers")
    #expect(problem.description.contains("'X-Key'"))
    #expect(!problem.description.contains(secret))
  }

  @Test(arguments: ["", "a b", "a:b", "naïve", "x\r\ny"])
  func `a name that is no header name is refused`(_ name: String) throws {
    #expect(try #require(fault { $0.headers = [.init(name, "v")] }).message.contains("not a header name"))
  }

  @Test(arguments: [
    "Content-Length", "transfer-encoding", "Content-Encoding", "Idempotency-Key", "Sluice-First-Offset", "Connection", "Expect",
  ])
  func `headers of the sink's own can't be set`(_ name: String) throws {
    #expect(try #require(fault { $0.headers = [.init(name, "1")] }).message.contains("by the sink itself"))
  }

  @Test func `a header that stands twice is refused`() throws {
    #expect(try #require(fault { $0.headers = [.init("X-A", "1"), .init("x-a", "2")] }).message.contains("twice"))
  }

  @Test func `times must be longer than nothing`() {
    #expect(fault { $0.timeout = .zero }?.key == "timeout")
    #expect(fault { $0.connectTimeout = .seconds(-1) }?.key == "connect_timeout")
  }

  @Test func `a header shows its name and never its value`() {
    let header = HTTPSink.Configuration.Header("Authorization", "Bearer \(secret)")
    var configuration = HTTPSink.Configuration(url: "http://h/")
    configuration.headers = [header]
    var dumped = ""
    dump(configuration, to: &dumped)
    for text in ["\(header)", String(reflecting: header), "\(configuration)", String(reflecting: configuration), dumped] {
      #expect(text.contains("Authorization"))
      #expect(!text.contains(secret))
    }
  }

  @Test func `a certificate authority that can't be read waits for an operator when the sink is opened`() async throws {
    var configuration = HTTPSink.Configuration(url: "https://h/")
    configuration.certificateAuthorityPath = "/nonexistent/ca.pem"
    let sink = try HTTPSink(configuration, name: "s", logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    do throws(DeliveryError) {
      try await sink.open(SinkStart(state: nil, cursor: .zero, queueHoldsCursor: true))
      Issue.record("opened without its certificate authority")
    } catch {
      #expect(error.advice == .waitForOperator)
      #expect(error.message.contains("'/nonexistent/ca.pem'") && error.message.contains("tls.ca"))
    }
  }
}
