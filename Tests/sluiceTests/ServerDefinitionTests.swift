internal import PipelineConfiguration
internal import PipelineCore
internal import QueueServer
internal import Testing

@testable internal import sluice

@Suite struct ServerDefinitionTests {
  @Test func `the server's defaults are those of pipeline files`() {
    #expect(ConnectionLimits(ServerDefinition.Limits()) == ConnectionLimits())
  }

  @Test func `each limit of a pipeline file becomes the server's`() {
    var expected = ConnectionLimits()
    expected.maxConnections = 1
    expected.maxHeaders = 2
    expected.maxHeaderBytes = 3
    expected.handshakeTimeout = .seconds(4)
    expected.headerTimeout = .seconds(5)
    expected.idleTimeout = .seconds(6)
    expected.bodyTimeout = .seconds(7)
    expected.responseTimeout = .seconds(8)
    expected.minProgressBytes = 9
    let limits = ServerDefinition.Limits(
      maxConnections: 1, maxHeaders: 2, maxHeaderBytes: 3, handshakeTimeout: .seconds(4), headerTimeout: .seconds(5),
      idleTimeout: .seconds(6), bodyTimeout: .seconds(7), responseTimeout: .seconds(8), minProgressBytes: 9)
    #expect(ConnectionLimits(limits) == expected)
  }

  @Test func `what a pipeline file says decides where the server may listen`() {
    var server = ServerDefinition(listen: .internet(host: "0.0.0.0", port: 80))
    guard case .refused = ListenRule(server).verdict else {
      Issue.record("it may")
      return
    }
    server.tokensFile = "tokens"
    guard case .warned = ListenRule(server).verdict else {
      Issue.record("no warning")
      return
    }
    server.tls = ServerDefinition.TLS(certificateFile: "c", keyFile: "k")
    #expect(ListenRule(server).verdict == .allowed)
  }
}
