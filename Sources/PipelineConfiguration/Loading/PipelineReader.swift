/// Reads one file's settings into a definition.
struct PipelineReader {
  let context: ReadingContext
  let checkPattern: @Sendable (String) -> String?

  /// A name of a queue, source, sink or consumer: it becomes part of file names and metrics.
  static let nameRule = "a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long"

  /// Whether `text` keeps the rule.
  static func isName(_ text: String) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, bytes.count <= 64 else { return false }
    func isAlphanumeric(_ byte: UInt8) -> Bool { 0x61...0x7A ~= byte || 0x30...0x39 ~= byte }
    return isAlphanumeric(first) && bytes.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
  }

  /// The definition, as far as it could be read: of use only when nothing was reported.
  func read(_ root: Setting) -> PipelineDefinition? {
    let example = "{ queue: …, sources: …, sinks: … }"
    guard let file = Section(root, path: "", place: root.place, example: example, context: context) else { return nil }
    file.refuseUnknownKeys(Schema.root)
    file.require("sources", example: "{ app: { type: file, paths: [/var/log/app/*.log] } }")
    let queue = readQueue(file)
    let sources = entries(of: file, "sources", example: "{ app: { type: file, paths: [/var/log/app/*.log] } }").compactMap {
      readSource($0, queue: queue)
    }
    if let entry = file.entry("sources"), case .mapping(let list) = entry.value.content, list.isEmpty {
      context.report(entry.keyPlace, "sources: a pipeline needs at least one source")
    }
    let sinks = entries(of: file, "sinks", example: "{ archive: { type: file, path: archive/app-%Y-%m-%d.log } }").compactMap {
      readSink($0, queue: queue)
    }
    let consumers = entries(of: file, "consumers", example: "{ nightly: { mode: cursor, hold: 7d } }").compactMap(readConsumer)
    checkReaderNames(file)
    return PipelineDefinition(
      file: context.file, queue: queue, sources: sources, sinks: sinks, consumers: consumers, server: readServer(file),
      redactions: context.redactions)
  }

  // MARK: - Named entries

  /// One named entry of `sources`, `sinks` or `consumers`.
  struct NamedSection {
    var name: String
    var section: Section
  }

  private func entries(of file: Section, _ key: String, example: String) -> [NamedSection] {
    guard let section = file.section(key, example: example) else { return [] }
    return section.named.compactMap { entry in
      let path = section.path(of: entry.key)
      context.remember(path, at: entry.keyPlace)
      if !Self.isName(entry.key) { context.report(entry.keyPlace, "\(key): expected \(Self.nameRule), got \(entry.key.quoted)") }
      let entryExample =
        switch key {
        case "sources": "{ type: file, paths: [/var/log/app/*.log] }"
        case "sinks": "{ type: file, path: archive/app.log }"
        default: "{ mode: cursor, hold: 7d }"
        }
      return Section(entry.value, path: path.withoutControls, place: entry.keyPlace, example: entryExample, context: context).map {
        NamedSection(name: entry.key, section: $0)
      }
    }
  }

  /// Sinks and consumers share the queue's directory of cursors.
  private func checkReaderNames(_ file: Section) {
    var names: [String: Setting.Entry] = [:]
    for key in ["sinks", "consumers"] {
      guard case .mapping(let entries)? = file.entry(key)?.value.content else { continue }
      for entry in entries {
        if let first = names[entry.key] {
          context.report(
            entry.keyPlace,
            "\(key): the name \(entry.key.quoted) is taken in line \(first.keyPlace.line); sinks and consumers of a file need different names"
          )
        }
        names[entry.key] = entry
        if let suffix = [".files", ".tmp"].first(where: entry.key.hasSuffix) {
          context.report(entry.keyPlace, "\(key): a name can't end in '\(suffix)': such files stand beside the cursors")
        }
      }
    }
  }

  // MARK: - Paths

  /// What is wrong with a path that Sluice opens, or nil.
  static func pathProblem(_ path: String) -> String? {
    if path.isEmpty { return "the path is empty" }
    if path.unicodeScalars.contains(where: \.isControl) { return "a path can't hold control characters" }
    return path.utf8.count > 1023 ? "a path has at most 1023 bytes" : nil
  }
}
