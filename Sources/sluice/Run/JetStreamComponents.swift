internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import RecordBlocks
internal import SegmentQueue

/// What a look at one sink's or source's cluster found.
struct StreamReport {
  var file: String
  /// `sinks.NAME` or `sources.NAME`.
  var part: String
  var isFine: Bool
  var findings: [String]
}

#if JETSTREAM
  internal import JetStream

  /// Whether this build reaches NATS.
  let hasJetStream = true

  let jetStreamSource = SourceComponent(type: "jetstream") { context in
    guard case .jetStream(let definition) = context.definition.kind else { throw Mismatch() }
    let source = JetStreamSource(
      JetStreamSource.Configuration(
        name: context.definition.name, connection: ConnectionSettings(definition.nats), stream: definition.stream,
        subjects: definition.subjects,
        share: SubjectShare(index: definition.share.index, count: definition.share.count), once: context.once, logger: context.logger))
    return MadeSource(source: source)
  }

  let jetStreamSink = SinkComponent(type: "jetstream") { context in
    guard case .jetStream(let definition) = context.definition.kind else { throw Mismatch() }
    let configuration = JetStreamSink.Configuration(
      connection: ConnectionSettings(definition.nats), stream: StreamSettings(definition))
    let (sinkDefinition, logger) = (context.definition, context.logger)
    return { queue in
      let sink = JetStreamSink(configuration, queue: queue.id, name: sinkDefinition.name, logger: logger)
      var plan = SinkPlan(name: sinkDefinition.name, sink: sink, of: sinkDefinition)
      // Several messages of a usual payload, so that only each delivery's last isn't full; stored blocks need no inflating.
      plan.batch = BatchPolicy(maxBytes: 16 << 20, linger: definition.linger)
      plan.retry = RetryPolicy(initial: .milliseconds(100), max: .seconds(5))
      return plan
    }
  }

  /// What a look at the cluster of each part of `pipelines` that has one finds.
  func checkStreams(_ pipelines: [PipelineDefinition]) throws -> [StreamReport] {
    pipelines.flatMap { pipeline in
      pipeline.sinks.compactMap { sink -> StreamReport? in
        guard case .jetStream(let definition) = sink.kind else { return nil }
        let check = StreamCheck.sink(ConnectionSettings(definition.nats), StreamSettings(definition))
        return StreamReport(file: pipeline.file, part: "sinks.\(sink.name)", isFine: check.isFine, findings: check.findings)
      }
        + pipeline.sources.compactMap { source -> StreamReport? in
          guard case .jetStream(let definition) = source.kind else { return nil }
          let check = StreamCheck.source(ConnectionSettings(definition.nats), stream: definition.stream)
          return StreamReport(file: pipeline.file, part: "sources.\(source.name)", isFine: check.isFine, findings: check.findings)
        }
    }
  }

  extension ConnectionSettings {
    init(_ nats: NATSDefinition) {
      let identity: Identity =
        if let file = nats.credentialsFile {
          .credentials(file: Process.absolute(file))
        } else if let token = nats.token {
          .token(token.value)
        } else if let user = nats.user, let password = nats.password {
          .user(user.value, password: password.value)
        } else {
          .none
        }
      self.init(
        servers: nats.servers.map { Server($0.value, shown: $0.description.replacing("//<redacted>@", with: "//")) }, identity: identity,
        tls: TLS(
          authorityFile: nats.tls?.authorityFile, certificateFile: nats.tls?.certificateFile, keyFile: nats.tls?.keyFile),
        connectTimeout: nats.connectTimeout, timeout: nats.timeout)
    }
  }

  extension StreamSettings {
    init(_ sink: JetStreamSinkDefinition) {
      self.init(
        name: sink.stream, subject: sink.subject, replicas: sink.replicas, maxAge: sink.maxAge, maxBytes: sink.maxBytes,
        overflow: sink.overflow.map { $0 == .wait ? .wait : .dropOldest })
    }
  }
#else
  /// Whether this build reaches NATS.
  let hasJetStream = false

  private let missing = CommandFailure(
    .usage,
    "type: jetstream needs NATS's client, which this build doesn't have; install libnats-dev, build again ('sluice version' then says NATS yes)"
  )

  let jetStreamSource = SourceComponent(type: "jetstream") { _ in throw missing }
  let jetStreamSink = SinkComponent(type: "jetstream") { _ in throw missing }

  func checkStreams(_ pipelines: [PipelineDefinition]) throws -> [StreamReport] {
    let isAsked =
      pipelines.contains { pipeline in
        pipeline.sinks.contains { if case .jetStream = $0.kind { true } else { false } }
          || pipeline.sources.contains { if case .jetStream = $0.kind { true } else { false } }
      }
    if isAsked { throw missing }
    return []
  }
#endif
