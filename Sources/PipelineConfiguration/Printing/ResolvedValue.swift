internal import PipelineCore

/// A definition as a tree of keys, as it stands in a pipeline file.
indirect enum ResolvedValue {
  case text(String)
  case number(Int)
  case list([ResolvedValue])
  case map([(key: String, value: ResolvedValue)])

  /// The tree of a pipeline, redacted.
  init(_ pipeline: PipelineDefinition) {
    let tree = Self.map(
      [
        ("queue", Self(pipeline.queue)),
        ("sources", .map(pipeline.sources.map { ($0.name, Self($0)) })),
        ("sinks", .map(pipeline.sinks.map { ($0.name, Self($0)) })),
        ("consumers", .map(pipeline.consumers.map { ($0.name, Self($0)) })),
      ] + (pipeline.server.map { [("server", Self($0))] } ?? []))
    self = pipeline.redactions.isEmpty ? tree : tree.redacted(pipeline.redactions, path: "")
  }

  private init(_ queue: QueueDefinition) {
    let sync: String =
      switch queue.sync {
      case .eachBlock: "each_block"
      case .interval(let duration): formatDuration(duration)
      case .never: "never"
      }
    self = .map([
      ("name", .text(queue.name)), ("path", .text(queue.path)), ("max_size", .size(queue.maxSize)),
      ("min_free_disk", .size(queue.minFreeDisk)),
      ("overflow", .text(queue.overflow.rawValue)), ("sync", .text(sync)), ("linger", .duration(queue.linger)),
      (
        "retention",
        .map([
          ("keep", .duration(queue.retention.keep)), ("max_age", queue.retention.maxAge.map(Self.duration) ?? .text("none")),
          ("consumer_expiry", .duration(queue.retention.consumerExpiry)),
        ])
      ),
    ])
  }

  private init(_ source: SourceDefinition) {
    var entries: [(String, ResolvedValue)]
    switch source.kind {
    case .file(let file):
      entries = [
        ("type", .text("file")), ("paths", .list(file.paths.map(Self.text))), ("exclude", .list(file.exclude.map(Self.text))),
        ("start_at", .text(file.startAt.rawValue)), ("format", .text(file.format.rawValue)), ("max_line", .size(file.maxLineBytes)),
        ("idle_flush", file.idleFlush.map(Self.duration) ?? .text("off")), ("max_open_files", .number(file.maxOpenFiles)),
        ("rescan", .duration(file.rescan)),
      ]
      if let multiline = file.multiline {
        entries.append(("multiline", .map([("start", .text(multiline.start)), ("timeout", .duration(multiline.timeout))])))
      }
    case .syslog(let syslog):
      entries = [
        ("type", .text("syslog")), ("listen", .text(syslog.listen.description)), ("format", .text(syslog.format.rawValue)),
        ("receive_buffer", .size(syslog.receiveBufferBytes)),
        ("utc_offset", .text((syslog.utcOffsetMinutes < 0 ? "-" : "+") + formatTimeOfDay(abs(syslog.utcOffsetMinutes)))),
      ]
    case .standardInput(let input): entries = [("type", .text("stdin")), ("max_line", .size(input.maxLineBytes))]
    case .jetStream(let source):
      entries =
        [("type", .text("jetstream"))] + Self.entries(of: source.nats) + [
          ("stream", .text(source.stream)), ("subjects", .list(source.subjects.map(Self.text))),
          ("share", .map([("index", .number(source.share.index)), ("of", .number(source.share.count))])),
        ]
    }
    self = .map(entries + [("when_full", .text(source.whenFull.rawValue))])
  }

  private init(_ sink: SinkDefinition) {
    let own: [(String, ResolvedValue)]
    switch sink.kind {
    case .file(let file):
      let rotate: [(key: String, value: ResolvedValue)] = [
        ("size", file.rotateBytes.map(Self.size) ?? .text("none")), ("max_files", file.maxFiles.map(Self.number) ?? .text("unlimited")),
      ]
      own = [
        ("type", .text("file")), ("path", .text(file.path)), ("timezone", .text(file.timezone)), ("rotate", .map(rotate)),
        ("gaps", .flag(file.writesGaps)),
      ]
    case .http(let http): own = Self.entries(of: http)
    case .standardOutput(let writesGaps): own = [("type", .text("stdout")), ("gaps", .flag(writesGaps))]
    case .jetStream(let jetStream): own = Self.entries(of: jetStream)
    }
    let pull: [(key: String, value: ResolvedValue)] = [
      ("every", sink.pull.every.map(Self.duration) ?? .text("none")),
      ("rate", .text(sink.pull.bytesPerSecond.map { formatSize($0) + "/s" } ?? "none")),
      ("window", .text(sink.pull.window.map(Self.format) ?? "none")), ("timezone", .text(sink.pull.timezone)),
    ]
    self = .map(own + [("pull", .map(pull)), ("start_at", .text(sink.startAt.rawValue)), ("hold", .text(Self.format(sink.hold)))])
  }

  private static func entries(of http: HTTPSinkDefinition) -> [(String, ResolvedValue)] {
    [
      ("type", .text("http")), ("url", .text(http.url.description)), ("format", .text(http.format.rawValue)),
      ("compression", .text(http.compression.rawValue)),
      (
        "batch",
        .map([
          ("max_records", .number(http.batch.maxRecords)), ("max_bytes", .size(http.batch.maxBytes)),
          ("linger", .duration(http.batch.linger)),
        ])
      ),
      ("headers", .map(http.headers.map { ($0.name, .text($0.value.description)) })), ("timeout", .duration(http.timeout)),
      ("connect_timeout", .duration(http.connectTimeout)),
    ] + (HTTPURL.isSecure(http.url.value) ? [("tls", .map([("ca", .text(http.certificateAuthorityFile ?? "none"))]))] : [])
      + [
        (
          "retry",
          .map([
            ("initial", .duration(http.retry.initial)), ("max", .duration(http.retry.max)),
            ("attempts", http.retry.attempts.map(Self.number) ?? .text("unlimited")),
          ])
        ), ("on_reject", .text(http.onReject.rawValue)),
      ]
  }

  /// A limit that isn't given isn't printed: then the stream that is there has its own.
  private static func entries(of sink: JetStreamSinkDefinition) -> [(String, ResolvedValue)] {
    var entries: [(String, ResolvedValue)] =
      [("type", .text("jetstream"))] + Self.entries(of: sink.nats) + [
        ("stream", .text(sink.stream)), ("subject", .text(sink.subject)), ("replicas", .number(sink.replicas)),
      ]
    if let maxAge = sink.maxAge { entries.append(("max_age", .duration(maxAge))) }
    if let maxBytes = sink.maxBytes { entries.append(("max_bytes", .size(maxBytes))) }
    if let overflow = sink.overflow { entries.append(("overflow", .text(overflow.rawValue))) }
    entries.append(("linger", .duration(sink.linger)))
    return entries
  }

  private static func entries(of nats: NATSDefinition) -> [(String, ResolvedValue)] {
    var entries: [(String, ResolvedValue)] = [("servers", .list(nats.servers.map { .text($0.description) }))]
    if let file = nats.credentialsFile { entries.append(("credentials", .text(file))) }
    if let token = nats.token { entries.append(("token", .text(token.description))) }
    if let user = nats.user { entries.append(("user", .text(user.description))) }
    if let password = nats.password { entries.append(("password", .text(password.description))) }
    entries += [("timeout", .duration(nats.timeout)), ("connect_timeout", .duration(nats.connectTimeout))]
    if let tls = nats.tls {
      var files: [(key: String, value: ResolvedValue)] = [("ca", .text(tls.authorityFile ?? "none"))]
      if let certificate = tls.certificateFile { files.append(("certificate", .text(certificate))) }
      if let key = tls.keyFile { files.append(("key", .text(key))) }
      entries.append(("tls", .map(files)))
    }
    return entries
  }

  private init(_ consumer: ConsumerDefinition) {
    var mode: [(key: String, value: ResolvedValue)]
    switch consumer.mode {
    case .cursor: mode = [("mode", .text("cursor"))]
    case .lease(let most): mode = [("mode", .text("lease")), ("max_deliveries", most == 0 ? .text("unlimited") : .number(most))]
    }
    self = .map(mode + [("start_at", .text(consumer.startAt.rawValue)), ("hold", .text(Self.format(consumer.hold)))])
  }

  private init(_ server: ServerDefinition) {
    let limits = server.limits
    let tls: [(key: String, value: ResolvedValue)]? = server.tls.map { tls in
      [
        ("certificate", .text(tls.certificateFile)), ("key", .text(tls.keyFile)),
        ("client_ca", .text(tls.clientAuthorityFile ?? "none")),
      ]
    }
    self = .map(
      [("listen", .text(server.listen.description)), ("tokens", .text(server.tokensFile ?? "none"))]
        + (tls.map { [("tls", .map($0))] } ?? [])
        + [
          ("insecure", .flag(server.isInsecure)),
          (
            "limits",
            .map([
              ("max_connections", .number(limits.maxConnections)), ("max_headers", .number(limits.maxHeaders)),
              ("max_header_bytes", .size(limits.maxHeaderBytes)), ("handshake_timeout", .duration(limits.handshakeTimeout)),
              ("header_timeout", .duration(limits.headerTimeout)), ("idle_timeout", .duration(limits.idleTimeout)),
              ("body_timeout", .duration(limits.bodyTimeout)), ("response_timeout", .duration(limits.responseTimeout)),
              ("min_progress", .size(limits.minProgressBytes)),
              ("requests_per_second", limits.requestsPerSecond.map(Self.number) ?? .text("unlimited")),
            ])
          ),
        ])
  }

  // MARK: - Leaves

  private static func size(_ bytes: Int) -> ResolvedValue { .text(formatSize(bytes)) }
  private static func flag(_ value: Bool) -> ResolvedValue { .text(value ? "true" : "false") }
  private static func duration(_ duration: Duration) -> ResolvedValue { .text(formatDuration(duration)) }

  private static func format(_ window: PullDefinition.Window) -> String {
    "\(formatTimeOfDay(window.start))-\(formatTimeOfDay(window.end))"
  }

  private static func format(_ hold: HoldDefinition) -> String {
    switch hold {
    case .all: "all"
    case .bytes(let bytes): formatSize(bytes)
    case .share(let percent): "\(percent)%"
    case .duration(let duration): formatDuration(duration)
    }
  }

  private func redacted(_ redactions: [String: String], path: String) -> ResolvedValue {
    func child(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    switch self {
    case .text, .number: return redactions[path].map(Self.text) ?? self
    case .list(let elements): return .list(elements.enumerated().map { $1.redacted(redactions, path: child("\($0)")) })
    case .map(let entries): return .map(entries.map { ($0.key, $0.value.redacted(redactions, path: child($0.key))) })
    }
  }
}
