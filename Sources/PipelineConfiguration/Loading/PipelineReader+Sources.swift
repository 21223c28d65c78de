extension PipelineReader {
  /// One entry of `sources`.
  func readSource(_ entry: NamedSection, queue: QueueDefinition) -> SourceDefinition? {
    let section = entry.section
    guard let type = readType(section, Schema.sourceTypes, common: Schema.source, keys: Schema.sources, kind: "sources") else { return nil }
    let kind: SourceDefinition.Kind
    switch type {
    case "file": kind = .file(readFileSource(section, queue: queue))
    case "syslog":
      guard let syslog = readSyslogSource(section) else { return nil }
      kind = .syslog(syslog)
    case "jetstream":
      guard let jetStream = readJetStreamSource(section) else { return nil }
      kind = .jetStream(jetStream)
    default: kind = .standardInput(StandardInputDefinition(maxLineBytes: readMaxLine(section, queue: queue)))
    }
    return SourceDefinition(name: entry.name, kind: kind, whenFull: section.value("when_full", .choice))
  }

  /// The `type` of a source or sink, with its keys checked.
  func readType(_ section: Section, _ types: [String], common: [String], keys: [String: [String]], kind: String) -> String? {
    let type = ValueType<String>(
      expected: alternatives(types), parse: { types.contains($0) ? $0 : nil }, suggest: { nearest(to: $0, among: types) })
    section.require("type", example: types[0])
    guard let name = section.value("type", type) else {
      section.refuseUnknownKeys(common + types.flatMap { keys[$0] ?? [] })
      return nil
    }
    let known = common + (keys[name] ?? [])
    section.refuseUnknownKeys(known) { key in
      let others = types.filter { keys[$0]?.contains(key) == true }
      return others.isEmpty ? nil : "it belongs to \(kind) of type \(alternatives(others)), and this one is \(name)"
    }
    return name
  }

  private func readFileSource(_ section: Section, queue: QueueDefinition) -> FileSourceDefinition {
    section.require("paths", example: "[/var/log/app/*.log]")
    var source = FileSourceDefinition(paths: readGlobs(section, "paths"), exclude: readGlobs(section, "exclude"))
    if case .sequence(let list)? = section.entry("paths")?.value.content, list.isEmpty, let entry = section.entry("paths") {
      context.report(entry.value.place, "\(section.path(of: "paths")): expected at least one path such as /var/log/app/*.log")
    }
    source.startAt = section.value("start_at", .choice) ?? source.startAt
    source.format = section.value("format", .choice) ?? source.format
    source.maxLineBytes = readMaxLine(section, queue: queue)
    source.idleFlush = section.value("idle_flush", ValueType<Duration>.duration("5s").or("off")) ?? nil
    source.maxOpenFiles = section.value("max_open_files", .count(256, 1...100_000)) ?? source.maxOpenFiles
    source.rescan = section.value("rescan", .duration("2s", .milliseconds(100) ... .seconds(3600))) ?? source.rescan
    if let multiline = section.section("multiline", example: #"{ start: '^\d{4}-', timeout: 1s }"#) {
      source.multiline = readMultiline(multiline)
      if source.format != .json {
        context.report(multiline.place, "\(multiline.path): joined lines hold line feeds, which a record can't; add format: json")
      }
    }
    return source
  }

  private func readGlobs(_ section: Section, _ key: String) -> [String] {
    let expected = "a path or glob such as /var/log/app/*.log"
    return (section.list(key, expected: expected) ?? []).compactMap { glob in
      context.remember(glob)
      if glob.isNothing || glob.text.value.isEmpty {
        section.report(glob, expected: expected)
      } else if let problem = Self.pathProblem(glob.text.value) {
        section.report(glob, problem)
      } else if glob.text.value.hasSuffix("/") {
        section.report(glob, "names a directory; write \(glob.text.redacted.withoutControls)* for its files, or …/** for all below")
      }
      return glob.text.value
    }
  }

  /// A record has to fit into the queue several times over. The default gives way; what is written is checked.
  private func readMaxLine(_ section: Section, queue: QueueDefinition) -> Int {
    let most = queue.maxSize / 4
    guard let scalar = section.entry("max_line"), let bytes = section.value("max_line", .size("16MiB", 64...(64 << 20))) else {
      return min(16 << 20, most)
    }
    if bytes > most {
      context.report(
        scalar.value.place,
        "\(section.path(of: "max_line")): \(formatSize(bytes)) is more than a quarter of queue.max_size (\(formatSize(queue.maxSize)))")
    }
    return bytes
  }

  private func readMultiline(_ section: Section) -> FileSourceDefinition.Multiline? {
    section.refuseUnknownKeys(Schema.multiline)
    section.require("start", example: #"'^\d{4}-'"#)
    let timeout = section.value("timeout", .duration("1s")) ?? .seconds(1)
    guard let start = section.scalar("start", expected: #"a pattern such as '^\d{4}-'"#) else { return nil }
    context.remember(start)
    if start.text.value.isEmpty {
      section.report(start, expected: #"a pattern such as '^\d{4}-'"#)
    } else if let problem = checkPattern(start.text.value) {
      section.report(start, problem)
    }
    return FileSourceDefinition.Multiline(start: start.text.value, timeout: timeout)
  }

  private func readSyslogSource(_ section: Section) -> SyslogSourceDefinition? {
    section.require("listen", example: "udp://127.0.0.1:5514")
    let listen = section.value("listen", .listenAddress)
    let format: SyslogSourceDefinition.Format? = section.value("format", .choice)
    let buffer = section.value("receive_buffer", .size("64MiB", (64 << 10)...(1 << 30)))
    let offset = section.value("utc_offset", .utcOffset)
    guard let listen else { return nil }
    var source = SyslogSourceDefinition(listen: listen)
    source.format = format ?? source.format
    source.utcOffsetMinutes = offset ?? source.utcOffsetMinutes
    source.receiveBufferBytes = buffer ?? source.receiveBufferBytes
    return source
  }
}
