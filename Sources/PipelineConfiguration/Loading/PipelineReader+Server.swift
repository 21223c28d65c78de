internal import PipelineCore

extension PipelineReader {
  /// The section `server`, if there is one.
  func readServer(_ file: Section) -> ServerDefinition? {
    guard let section = file.section("server", example: #"{ listen: "127.0.0.1:7171", tokens: /etc/sluice/tokens }"#) else { return nil }
    context.remember("server", at: section.place)
    section.refuseUnknownKeys(Schema.server)
    var server = ServerDefinition()
    if let listen = section.value("listen", .serverAddress) {
      server.listen = listen
      if case .unix(let path) = listen, let problem = Self.pathProblem(path), let entry = section.entry("listen") {
        context.report(entry.value.place, "server.listen: \(problem)")
      }
    }
    server.tokensFile = readFileName(section, "tokens", example: "/etc/sluice/tokens")
    server.isInsecure = section.value("insecure", .flag) ?? server.isInsecure
    if let tls = section.section("tls", example: "{ certificate: /etc/sluice/server.pem, key: /etc/sluice/server.key }") {
      server.tls = readServerTLS(tls)
    }
    if let limits = section.section("limits", example: "{ max_connections: 12000 }") { readLimits(limits, into: &server.limits) }
    if !server.listen.isLocal, server.tokensFile == nil, !server.isInsecure, let listen = section.entry("listen") {
      let shown = (context.redactedTexts["server.listen"] ?? server.listen.description).quoted
      context.report(
        listen.value.place,
        "server.listen: \(shown) can be reached from other machines, and everyone there could read and change the queues; add tokens: FILE ('sluice token' makes them), or listen on 127.0.0.1, or say insecure: true"
      )
    }
    return server
  }

  private func readServerTLS(_ section: Section) -> ServerDefinition.TLS {
    section.refuseUnknownKeys(Schema.serverTLS)
    section.require("certificate", example: "/etc/sluice/server.pem")
    section.require("key", example: "/etc/sluice/server.key")
    return ServerDefinition.TLS(
      certificateFile: readFileName(section, "certificate", example: "/etc/sluice/server.pem") ?? "",
      keyFile: readFileName(section, "key", example: "/etc/sluice/server.key") ?? "",
      clientAuthorityFile: readFileName(section, "client_ca", example: "/etc/sluice/clients.pem"))
  }

  /// The path of a file, or nil for `none` and for nothing given.
  private func readFileName(_ section: Section, _ key: String, example: String) -> String? {
    let isOptional = key != "certificate" && key != "key"
    let expected = "the path of a file such as \(example)\(isOptional ? ", or 'none'" : "")"
    guard let path = section.scalar(key, expected: expected) else { return nil }
    context.remember(path)
    if path.isNothing {
      section.report(path, expected: expected)
    } else if let problem = Self.pathProblem(path.text.value) {
      section.report(path, problem)
    }
    return isOptional && path.text.value == "none" ? nil : path.text.value
  }

  private func readLimits(_ section: Section, into limits: inout ServerDefinition.Limits) {
    section.refuseUnknownKeys(Schema.serverLimits)
    let times = Duration.seconds(1) ... .seconds(3600)
    limits.maxConnections = section.value("max_connections", .count(12_000, 1...1_000_000)) ?? limits.maxConnections
    limits.maxHeaders = section.value("max_headers", .count(100, 10...10_000)) ?? limits.maxHeaders
    limits.maxHeaderBytes = section.value("max_header_bytes", .size("16KiB", (1 << 10)...(1 << 20))) ?? limits.maxHeaderBytes
    limits.handshakeTimeout = section.value("handshake_timeout", .duration("10s", times)) ?? limits.handshakeTimeout
    limits.headerTimeout = section.value("header_timeout", .duration("10s", times)) ?? limits.headerTimeout
    limits.idleTimeout = section.value("idle_timeout", .duration("60s", times)) ?? limits.idleTimeout
    limits.bodyTimeout = section.value("body_timeout", .duration("30s", times)) ?? limits.bodyTimeout
    limits.responseTimeout = section.value("response_timeout", .duration("60s", times)) ?? limits.responseTimeout
    limits.minProgressBytes = section.value("min_progress", .size("4KiB", 1...(1 << 20))) ?? limits.minProgressBytes
    limits.requestsPerSecond =
      section.value("requests_per_second", ValueType<Int>.count(1000, 1...1_000_000).or("unlimited")) ?? limits.requestsPerSecond
  }
}

extension ValueType where Value == ServerAddress {
  static var serverAddress: Self {
    Self(expected: ServerAddress.expected, parse: ServerAddress.init(text:), suggest: ServerAddress.suggestion(for:))
  }
}
