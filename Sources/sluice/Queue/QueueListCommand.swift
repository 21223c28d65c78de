internal import ArgumentParser
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

/// `sluice queue list`.
struct QueueListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the queues below a directory, also those that no pipeline file names any more.")

  @Argument(help: ArgumentHelp("Where to look.", valueName: "DIRECTORY"), completion: .directory)
  var directory = "data"

  @OptionGroup var output: OutputOptions

  func run() throws {
    let paths: [FilePath]
    do { paths = try QueueFiles.list(under: FilePath(directory)) } catch { throw CommandFailure(error) }
    var table = TextTable(
      ("QUEUE", .left), ("RECORDS", .right), ("SIZE", .right), ("SEGMENTS", .right), ("CONSUMERS", .right), ("HELD BY", .left))
    var facts: [JSONValue] = []
    for path in paths {
      do {
        let files = try QueueFiles.open(path)
        let size = files.segments.reduce(0) { $0 + $1.byteCount }
        table.add(
          path.string, HumanText.count(files.durableEnd - files.startOffset), HumanText.bytes(size), HumanText.count(files.segments.count),
          HumanText.count(files.consumers.count), files.isHeld ? files.holder ?? "another process" : "-")
        facts.append(
          .object([
            ("path", .string(path.string)), ("id", .string(files.id.description)), ("start_offset", .integer(files.startOffset.rawValue)),
            ("durable_end", .integer(files.durableEnd.rawValue)), ("stored_bytes", .integer(size)),
            ("segments", .integer(files.segments.count)),
            ("consumers", .array(files.consumers.map { .string($0.name) })), ("held", .bool(files.isHeld)),
            ("holder", .string(files.holder)),
          ]))
      } catch {
        table.add(path.string, "?", "?", "?", "?", error.description)
        facts.append(.object([("path", .string(path.string)), ("error", .string(error.description))]))
      }
    }
    try output.print(
      .array(facts), text: table.isEmpty ? "no queues below \(Escaping.escaped(directory))\n" : table.text())
  }
}
