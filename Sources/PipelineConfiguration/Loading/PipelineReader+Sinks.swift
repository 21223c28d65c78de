extension PipelineReader {
  /// One entry of `sinks`.
  func readSink(_ entry: NamedSection, queue: QueueDefinition) -> SinkDefinition? {
    let section = entry.section
    guard let type = readType(section, Schema.sinkTypes, common: Schema.sink, keys: Schema.sinks, kind: "sinks") else { return nil }
    let pull = section.section("pull", example: "{ every: 10s, rate: 5MiB/s }").map(readPull) ?? PullDefinition()
    let startAt: StartDefinition? = section.value("start_at", .choice)
    let hold = section.value("hold", .hold)
    let kind: SinkDefinition.Kind
    switch type {
    case "file": kind = .file(readFileSink(section))
    case "http":
      guard let http = readHTTPSink(section) else { return nil }
      kind = .http(http)
    case "jetstream":
      guard let jetStream = readJetStreamSink(section, queue: queue) else { return nil }
      kind = .jetStream(jetStream)
    default: kind = .standardOutput(writesGaps: section.value("gaps", .flag) ?? false)
    }
    return SinkDefinition(name: entry.name, kind: kind, pull: pull, startAt: startAt ?? .oldest, hold: hold ?? .all)
  }

  /// One entry of `consumers`.
  func readConsumer(_ entry: NamedSection) -> ConsumerDefinition? {
    let section = entry.section
    section.refuseUnknownKeys(Schema.consumer)
    var mode = ConsumerMode.cursor
    if let word = section.scalar("mode", expected: "cursor or lease") {
      switch word.text.value {
      case "cursor" where !word.isNothing: break
      case "lease": mode = .lease(maxDeliveries: 0)
      default: section.report(word, expected: "cursor or lease", suggestion: nearest(to: word.text.redacted, among: ["cursor", "lease"]))
      }
    }
    if mode == .cursor, let setting = section.scalar("max_deliveries", expected: "a number") {
      section.report(setting, "only a consumer of leases counts deliveries; give mode: lease")
    } else if let most = section.value("max_deliveries", ValueType<Int>.count(5, 1...1000).or("unlimited")) {
      mode = .lease(maxDeliveries: most ?? 0)
    }
    let startAt: StartDefinition? = section.value("start_at", .choice)
    return ConsumerDefinition(name: entry.name, startAt: startAt ?? .oldest, hold: section.value("hold", .hold) ?? .all, mode: mode)
  }

  private func readPull(_ section: Section) -> PullDefinition {
    section.refuseUnknownKeys(Schema.pull)
    var pull = PullDefinition()
    pull.every = section.value("every", ValueType<Duration>.duration("10s").or("none")) ?? nil
    pull.bytesPerSecond = section.value("rate", ValueType<Int>.rate("5MiB/s").or("none")) ?? nil
    pull.window = section.value("window", ValueType<PullDefinition.Window>.window.or("none")) ?? nil
    pull.timezone = section.value("timezone", .timezone) ?? pull.timezone
    return pull
  }

  private func readFileSink(_ section: Section) -> FileSinkDefinition {
    let example = "archive/app-%Y-%m-%d.log"
    section.require("path", example: example)
    var sink = FileSinkDefinition(path: "")
    if let path = section.scalar("path", expected: "a path such as \(example)") {
      context.remember(path)
      if path.isNothing {
        section.report(path, expected: "a path such as \(example)")
      } else if let problem = Self.pathProblem(path.text.value) ?? OutputPath.problem(path.text.value) {
        section.report(path, problem)
      }
      sink.path = path.text.value
    }
    sink.timezone = section.value("timezone", .timezone) ?? sink.timezone
    sink.writesGaps = section.value("gaps", .flag) ?? sink.writesGaps
    if let rotate = section.section("rotate", example: "{ size: 1GiB, max_files: 30 }") {
      rotate.refuseUnknownKeys(Schema.rotate)
      sink.rotateBytes = rotate.value("size", ValueType<Int>.size("1GiB", 4096...manyBytes).or("none")) ?? nil
      sink.maxFiles = rotate.value("max_files", ValueType<Int>.count(30, 1...1_000_000).or("unlimited")) ?? nil
    }
    return sink
  }
}
