import PipelineCore
import Testing

@testable import PipelineConfiguration

private let source = "sources: { app: { type: stdin } }\n"

@Suite("The server section of a pipeline file") struct ServerTests {
  @Test func `isn't there unless it is written`() throws {
    #expect(try pipeline(source).server == nil)
    #expect(!ResolvedPipelines.text(of: [try pipeline(source)]).contains("server"))
  }

  @Test func `listens on the loopback by default`() throws {
    let server = try #require(try pipeline("server: {}\n" + source).server)
    #expect(server == ServerDefinition())
    #expect(server.listen == .internet(host: "127.0.0.1", port: 7171))
    #expect(server.listen.isLocal)
  }

  @Test func `may set every key`() throws {
    let loaded = try pipeline(
      """
      server:
        listen: "[::]:443"
        tokens: /etc/sluice/tokens
        tls: { certificate: /etc/c.pem, key: /etc/k.pem, client_ca: /etc/ca.pem }
        insecure: true
        limits:
          max_connections: 5
          max_headers: 20
          max_header_bytes: 8KiB
          handshake_timeout: 1s
          header_timeout: 2s
          idle_timeout: 3s
          body_timeout: 4s
          response_timeout: 5s
          min_progress: 6B
          requests_per_second: 7
      """ + "\n" + source)
    #expect(
      loaded.server
        == ServerDefinition(
          listen: .internet(host: "::", port: 443), tokensFile: "/etc/sluice/tokens",
          tls: ServerDefinition.TLS(certificateFile: "/etc/c.pem", keyFile: "/etc/k.pem", clientAuthorityFile: "/etc/ca.pem"),
          isInsecure: true,
          limits: ServerDefinition.Limits(
            maxConnections: 5, maxHeaders: 20, maxHeaderBytes: 8192, handshakeTimeout: .seconds(1), headerTimeout: .seconds(2),
            idleTimeout: .seconds(3), bodyTimeout: .seconds(4), responseTimeout: .seconds(5), minProgressBytes: 6, requestsPerSecond: 7)))
  }

  @Test func `is printed with its defaults filled in`() throws {
    let text = ResolvedPipelines.text(of: [try pipeline("server: { listen: localhost }\n" + source)])
    #expect(
      text.hasSuffix(
        """
        consumers: {}
        server:
          listen: "127.0.0.1:7171"
          tokens: none
          insecure: false
          limits:
            max_connections: 12000
            max_headers: 100
            max_header_bytes: 16KiB
            handshake_timeout: 10s
            header_timeout: 10s
            idle_timeout: 1m
            body_timeout: 30s
            response_timeout: 1m
            min_progress: 4KiB
            requests_per_second: unlimited

        """), "\(text)")
  }

  @Test func `a path that comes from a file isn't printed`() throws {
    let loaded = try pipeline("server: { tokens: \"/run/${file:/secret}\" }\n" + source, files: ["/secret": "hunter2\n"])
    #expect(loaded.server?.tokensFile == "/run/hunter2")
    #expect(!"\(loaded)".contains("hunter2"))
  }

  @Test(arguments: ["0.0.0.0:7171", "[::]:7171", "192.0.2.1", "[::ffff:192.0.2.1]:80"])
  func `an address that others reach needs tokens or a word for it`(address: String) throws {
    let found = mistakes("server: { listen: '\(address)' }\n" + source)
    #expect(
      found == [
        "p.yaml:1:19: server.listen: '\(address)' can be reached from other machines, and everyone there could read and change the queues; add tokens: FILE ('sluice token' makes them), or listen on 127.0.0.1, or say insecure: true"
      ])
    #expect(mistakes("server: { listen: '\(address)', tokens: none }\n" + source).count == 1)
    #expect(mistakes("server: { listen: '\(address)', tokens: /etc/tokens }\n" + source) == [])
    #expect(mistakes("server: { listen: '\(address)', insecure: true }\n" + source) == [])
  }

  @Test func `values of a wrong kind are named with what was expected`() {
    let found = mistakes(
      """
      server:
        listen: http://127.0.0.1:7171/
        tokens: ""
        tls: { certificate: , key: [a] }
        insecure: yes
        limits: { max_connections: 0, header_timeout: 10, idle_timeout: 0s, requests_per_second: none, max_header_bytes: 1MB, min_progress: 4k }
      """ + "\n" + source)
    #expect(
      found == [
        "p.yaml:2:11: server.listen: expected an IP address with a port, such as 127.0.0.1:7171 or [::1]:7171, or unix:PATH (at most 107 bytes), got 'http://127.0.0.1:7171/'; did you mean '127.0.0.1:7171'?",
        "p.yaml:3:11: server.tokens: the path is empty",
        "p.yaml:4:23: server.tls.certificate: expected the path of a file such as /etc/sluice/server.pem, got nothing",
        "p.yaml:4:30: server.tls.key: expected the path of a file such as /etc/sluice/server.key, got a list",
        "p.yaml:5:13: server.insecure: expected true or false, got 'yes'; did you mean 'true'?",
        "p.yaml:6:30: server.limits.max_connections: expected a whole number such as 12000 (1 to 1000000), got '0'",
        "p.yaml:6:49: server.limits.header_timeout: expected a duration such as 10s (1s to 1h), got '10'",
        "p.yaml:6:67: server.limits.idle_timeout: expected a duration such as 60s (1s to 1h), got '0s'",
        "p.yaml:6:92: server.limits.requests_per_second: expected a whole number such as 1000 (1 to 1000000), or 'unlimited', got 'none'",
        "p.yaml:6:135: server.limits.min_progress: expected a size such as 4KiB (1B to 1MiB), got '4k'; did you mean '4KiB'?",
      ])
  }
}
