internal import PipelineConfiguration
internal import QueueServer

// What the section `server` of a pipeline file says, in the server's words.

extension ConnectionLimits {
  init(_ limits: ServerDefinition.Limits) {
    self.init()
    maxConnections = limits.maxConnections
    maxHeaders = limits.maxHeaders
    maxHeaderBytes = limits.maxHeaderBytes
    handshakeTimeout = limits.handshakeTimeout
    headerTimeout = limits.headerTimeout
    idleTimeout = limits.idleTimeout
    bodyTimeout = limits.bodyTimeout
    responseTimeout = limits.responseTimeout
    minProgressBytes = limits.minProgressBytes
  }
}

extension TLSFiles {
  init(_ tls: ServerDefinition.TLS) {
    self.init(certificate: tls.certificateFile, key: tls.keyFile, clientAuthority: tls.clientAuthorityFile)
  }
}

extension ListenRule {
  init(_ server: ServerDefinition) {
    self.init(
      address: server.listen, hasTokens: server.tokensFile != nil, hasTLS: server.tls != nil, isInsecure: server.isInsecure)
  }
}
