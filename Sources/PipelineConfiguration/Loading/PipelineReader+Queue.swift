extension PipelineReader {
  /// A queue holds at least this much: a segment is an eighth of it, and each has room for some blocks.
  static let minimumQueueBytes = 8 << 20

  /// The section `queue`, or all its defaults.
  func readQueue(_ file: Section) -> QueueDefinition {
    let section = file.section("queue", example: "{ max_size: 10GiB }")
    section?.refuseUnknownKeys(Schema.queue)
    var queue = QueueDefinition(name: readQueueName(section))
    if let section {
      if let path = section.scalar("path", expected: "a directory such as \(queue.path)") {
        context.remember(path)
        if path.isNothing {
          section.report(path, expected: "a directory such as \(queue.path)")
        } else if let problem = Self.pathProblem(path.text.value) {
          section.report(path, problem)
        }
        queue.path = path.text.value
      }
      queue.maxSize = section.value("max_size", .size("10GiB", Self.minimumQueueBytes...manyBytes)) ?? queue.maxSize
      queue.minFreeDisk = section.value("min_free_disk", .size("512MiB", 0...manyBytes)) ?? queue.minFreeDisk
      queue.overflow = section.value("overflow", .choice) ?? queue.overflow
      queue.sync = section.value("sync", .syncPolicy) ?? queue.sync
      queue.linger = section.value("linger", .duration("50ms", .zero ... .seconds(60))) ?? queue.linger
      if let retention = section.section("retention", example: "{ keep: 24h, max_age: 30d }") {
        readRetention(retention, into: &queue.retention)
      }
    }
    return queue
  }

  private func readQueueName(_ section: Section?) -> String {
    if let section, section.entry("name") != nil {
      let type = ValueType<String>(
        expected: Self.nameRule, parse: { Self.isName($0) ? $0 : nil },
        suggest: { Self.isName($0.lowercased()) ? $0.lowercased() : nil })
      let name = section.value("name", type) ?? "unnamed"
      if name.hasSuffix(".dead-letters"), let entry = section.entry("name") {
        context.report(entry.value.place, "queue.name: a name can't end in '.dead-letters': those are the dead-letter queues'")
      }
      return name
    }
    let name = Self.baseName(of: context.file)
    if !Self.isName(name) || name.hasSuffix(".dead-letters") {
      let place = section?.place ?? Place(file: context.file, line: 1, column: 1)
      context.report(place, "queue.name: the file's name \(name.quoted) can't be the queue's (\(Self.nameRule)); add queue: { name: … }")
    }
    return name
  }

  /// A file's name without its directory and `.yaml` or `.yml`.
  static func baseName(of file: String) -> String {
    let name = file.split(separator: "/").last.map(String.init) ?? file
    for suffix in [".yaml", ".yml"] where name.hasSuffix(suffix) { return String(name.dropLast(suffix.count)) }
    return name
  }

  private func readRetention(_ section: Section, into retention: inout QueueDefinition.Retention) {
    section.refuseUnknownKeys(Schema.retention)
    retention.keep = section.value("keep", .duration("24h", .zero...longDuration)) ?? retention.keep
    retention.maxAge = section.value("max_age", ValueType<Duration>.duration("30d").or("none")) ?? retention.maxAge
    retention.consumerExpiry = section.value("consumer_expiry", .duration("7d")) ?? retention.consumerExpiry
  }
}
