extension PipelineReader {
  /// One entry of `sinks`.
  func readSink(_ entry: NamedSection) -> SinkDefinition? {
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
    default: kind = .standardOutput(writesGaps: section.value("gaps", .flag) ?? false)
    }
    return SinkDefinition(name: entry.name, kind: kind, pull: pull, startAt: startAt ?? .oldest, hold: hold ?? .all)
  }

  /// One entry of `consumers`.
  func readConsumer(_ entry: NamedSection) -> ConsumerDefinition? {
    let section = entry.section
    section.refuseUnknownKeys(Schema.consumer)
    if let mode = section.scalar("mode", expected: "cursor"), mode.isNothing || mode.text.value != "cursor" {
      if mode.text.value == "lease" {
        section.report(mode, "leases aren't in this version of Sluice; expected cursor")
      } else {
        section.report(mode, expected: "cursor", suggestion: nearest(to: mode.text.redacted, among: ["cursor"]))
      }
    }
    let startAt: StartDefinition? = section.value("start_at", .choice)
    return ConsumerDefinition(name: entry.name, startAt: startAt ?? .oldest, hold: section.value("hold", .hold) ?? .all)
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
