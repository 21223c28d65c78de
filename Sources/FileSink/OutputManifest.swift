internal import DurableFiles
internal import RecordBlocks
internal import SystemPackage

/// The list of files that a sink made, in the order it made them: `consumers/<name>.files`.
///
/// Only what stands here is ever deleted or, while empty, taken over. A name is entered before its file is made, so an entry without a file
/// means nothing. Each line is checked by itself: one torn by a power cut must not name some other file.
///
///     sluice-files 1
///     <CRC-32 of the rest of the line, 8 hexadecimal digits> <number>⇥<fixed directory>⇥<path below it>
struct OutputManifest {
  /// A file that the sink made or was about to make.
  struct Entry: Hashable {
    var location: OutputLocation
    var number: Int
  }

  /// Older entries than these are dropped; their files are never deleted.
  static let maximumEntries = 16_384
  /// Room for that many of the longest paths, twice.
  private static let maximumBytes = 64 << 20
  private static let firstLine = "sluice-files 1"

  /// Oldest first, each location once.
  private(set) var entries: [Entry] = []
  private let directory: any Directory
  private let name: String
  private var lineCount = 0
  private var byteCount: Int64 = 0
  /// The file doesn't end where it should, or its last sync failed: it is written anew before anything is added.
  private var needsReplacing = false
  /// Lines that were unreadable when it was loaded.
  private(set) var unreadableLines = 0

  /// Why a manifest is not to be used.
  enum Refusal: Error {
    case file(FileError)
    case foreign(FilePath)
  }

  /// Loads the manifest of a consumer; a missing one is empty.
  init(of consumer: String, in directory: any Directory) throws(Refusal) {
    self.directory = directory
    name = consumer + ".files"
    let bytes: [UInt8]
    do throws(FileError) {
      guard let contents = try directory.contents(name, limit: Self.maximumBytes), !contents.isEmpty else {
        needsReplacing = true
        return
      }
      bytes = contents
    } catch {
      throw .file(error)
    }
    byteCount = Int64(bytes.count)
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    guard let first = lines.first, first.elementsEqual(Self.firstLine.utf8) else { throw .foreign(directory.path.appending(name)) }
    // After the last line feed stands nothing, or a line that was torn.
    if let rest = lines.popLast(), !rest.isEmpty { needsReplacing = true }
    for line in lines.dropFirst() {
      lineCount += 1
      if let entry = Entry(line: line) {
        entries.append(entry)
      } else {
        unreadableLines += 1
        needsReplacing = true
      }
    }
    // A name may have been entered twice: the later one counts.
    var seen = Set<OutputLocation>()
    entries = entries.reversed().filter { seen.insert($0.location).inserted }.reversed()
  }

  /// Whether the sink made, or meant to make, this file.
  func contains(_ location: OutputLocation) -> Bool { entries.contains { $0.location == location } }

  /// Enters a file as the newest; on the disk on return, even if it stood there already (whoever entered it may have died before the sync).
  mutating func enter(_ entry: Entry) throws(FileError) {
    entries.removeAll { $0.location == entry.location }
    entries.append(entry)
    if entries.count > Self.maximumEntries { entries.removeFirst(entries.count - Self.maximumEntries) }
    if needsReplacing || lineCount > 2 * entries.count + 64 { return try replace() }
    // Until the sync has returned, nobody knows what the file holds.
    needsReplacing = true
    let file = try directory.openUnshared(name, .update)
    let line = entry.line
    try file.write(line, at: byteCount)
    try file.sync()
    byteCount += Int64(line.count)
    lineCount += 1
    needsReplacing = false
  }

  /// Forgets files that are gone. In memory; on the disk when the manifest is next written anew.
  mutating func forget(_ locations: Set<OutputLocation>) { entries.removeAll { locations.contains($0.location) } }

  /// Takes back an entry whose name turned out to be someone else's; on the disk on return.
  mutating func takeBack(_ location: OutputLocation) throws(FileError) {
    forget([location])
    try replace()
  }

  private mutating func replace() throws(FileError) {
    needsReplacing = true
    let bytes = Array(Self.firstLine.utf8) + [0x0A] + entries.flatMap(\.line)
    try directory.replace(name, with: bytes)
    byteCount = Int64(bytes.count)
    lineCount = entries.count
    needsReplacing = false
  }
}

extension OutputManifest.Entry {
  fileprivate var line: [UInt8] {
    let body = Array("\(number)\t\(location.base)\t\(location.relative)".utf8)
    let checksum = String(body.withUnsafeBytes { BlockCodec.checksum($0) }, radix: 16)
    return Array((String(repeating: "0", count: 8 - checksum.utf8.count) + checksum + " ").utf8) + body + [0x0A]
  }

  fileprivate init?(line: ArraySlice<UInt8>) {
    guard line.count > 9, line[line.startIndex + 8] == 0x20, let told = UInt32(String(decoding: line.prefix(8), as: UTF8.self), radix: 16)
    else {
      return nil
    }
    let body = line.dropFirst(9)
    guard body.withUnsafeBytes({ BlockCodec.checksum($0) }) == told, let text = String(validating: body, as: UTF8.self) else { return nil }
    let fields = text.split(separator: "\t", omittingEmptySubsequences: false)
    guard fields.count == 3, let number = Int(fields[0]), number >= 0, !fields[1].isEmpty, fields[2].split(separator: "/").last != nil
    else {
      return nil
    }
    self.init(location: OutputLocation(base: String(fields[1]), relative: String(fields[2])), number: number)
  }
}
