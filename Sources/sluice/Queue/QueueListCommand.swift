internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

/// `sluice queue list`.
struct QueueListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the queues below a directory, also those that no pipeline file names any more, or those of a server.")

  @Argument(help: ArgumentHelp("Where to look (default: data).", valueName: "DIRECTORY"), completion: .directory)
  var directory: String?

  @OptionGroup var connection: ConnectionOptions

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if directory != nil, connection.server != nil { throw ValidationError("DIRECTORY and --server: give one of them") }
  }

  func run() async throws {
    if directory == nil, let address = connection.address { return try await list(of: address) }
    let directory = directory ?? "data"
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

  private func list(of address: String) async throws {
    let queues = try await connection.client(address, retry: .brief).queues()
    var table = TextTable(("QUEUE", .left), ("RECORDS", .right), ("SIZE", .right), ("SEGMENTS", .right), ("CONSUMERS", .right))
    for queue in queues {
      table.add(
        queue.name, HumanText.count(queue.durableEnd.offset - min(queue.startOffset.offset, queue.durableEnd.offset)),
        HumanText.bytes(queue.storedBytes), HumanText.count(queue.segments), HumanText.count(queue.consumers.count))
    }
    let facts = queues.map { queue in
      JSONValue.object([
        ("path", .null), ("name", .string(queue.name)), ("id", .string(queue.id)), ("start_offset", .integer(queue.startOffset.offset)),
        ("durable_end", .integer(queue.durableEnd.offset)), ("stored_bytes", .integer(queue.storedBytes)),
        ("segments", .integer(queue.segments)), ("consumers", .array(queue.consumers.map { .string($0.name) })), ("held", .bool(true)),
        ("holder", .string(address)),
      ])
    }
    try output.print(.array(facts), text: table.isEmpty ? "no queues at \(Escaping.escaped(address))\n" : table.text())
  }
}
