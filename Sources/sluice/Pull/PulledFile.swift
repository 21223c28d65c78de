internal import DurableFiles
internal import Foundation
internal import QueueClient
internal import RecordBlocks
internal import SystemPackage

/// A file of pulled records that is whole, or can be gone on with, at every moment.
///
///     FILE.partial           the records drawn so far, the last batch perhaps half-written
///     FILE.partial.offsets   whose they are and which: the first `length` bytes of FILE.partial are exactly first..<next
///     FILE, FILE.offsets     the same under their final names, once it is whole
///
/// The order of writes, syncs, renames and commits, where a consumer's cursor is committed:
///
///     begin   1  FILE.partial.offsets with length 0: temporary file, sync, rename, directory sync
///             2  FILE.partial created, directory synced
///     batch   3  the batch written behind `length`, file synced
///             4  FILE.partial.offsets replaced as in 1: `batch` is the old `next`, `next` the batch's end, `length` the new one
///             5  `next` committed: it rides on the next pull
///     end     6  the last commit has returned
///             7  FILE.partial.offsets renamed to FILE.offsets, directory synced
///             8  FILE.partial renamed to FILE, directory synced
///
/// What a crash (of the process, or of the power) leaves, and what the next run with the same file does:
///
///     before 2        length 0, nothing committed       begins anew
///     2 to 4          the cursor at `next`              keeps the first `length` bytes; the batch is given again, once
///     4 to 5          the cursor at `batch`             commits `next`, and goes on behind it; the batch is not asked for again
///     5 to 7          the cursor at `next`              goes on; when nothing more comes, 7 and 8
///     7 to 8          FILE.partial alone, FILE.offsets  8
///     after 8         FILE is whole and committed       a file that is there already
///
/// So FILE is never there before all of it is committed, and no record stands in two files. The cursor anywhere else means that somebody
/// has moved it: that is told, and nothing is changed. A run with another file (a name with the day in it, say) first ends what an earlier
/// one of the same consumer has left in the directory, so that committed records don't stay in a half-finished file.
final class PulledFile: BatchDestination {
  /// What FILE.offsets says.
  struct Contents: Codable, Equatable {
    /// The form of this.
    var version = 1
    /// The queue's identity.
    var queueID: String
    /// Its name at the server.
    var queue: String
    /// The consumer whose cursor is committed; nil when it is none's.
    var consumer: String?
    /// The first record's offset.
    var first: WireOffset
    /// Where the last batch begins.
    var batch: WireOffset
    /// The offset behind the last record.
    var next: WireOffset
    /// How many records.
    var records: Int
    /// Their bytes of lines.
    var bytes: Int
    /// The file's length.
    var length: Int64

    enum CodingKeys: String, CodingKey {
      case version, queue, consumer, first, batch, next, records, bytes, length
      case queueID = "queue_id"
    }
  }

  /// What a file is drawn for.
  struct Purpose {
    var queueID: String
    var queue: String
    /// The consumer whose cursor is committed.
    var consumer: String?
    /// Where drawing begins: the consumer's cursor.
    var cursor: WireOffset
    /// Take the place of a file that is there.
    var replace: Bool
  }

  let form: PullRequest.Form
  /// What is in it so far.
  private(set) var contents: Contents
  private let directory: any Directory
  private let name: String
  private let file: any File
  private var partial: String { name + ".partial" }
  private var partialOffsets: String { name + ".partial.offsets" }
  private var commits: Bool { contents.consumer != nil }

  /// What is in the file and not committed yet: the caller commits it first.
  var uncommitted: WireOffset? { isCommitted ? nil : contents.next }
  private var isCommitted: Bool

  /// Begins `name`, or goes on with what an earlier run has left of it. Steps 1 and 2.
  /// - Returns: nil when an earlier run had drawn all of it and only the last renaming was missing: that is done now.
  init?(_ name: String, in directory: any Directory, for purpose: Purpose) throws {
    self.name = name
    self.directory = directory
    form = name.hasSuffix(".gz") ? .gzip : .lines
    let left = try Self.leftover(name, in: directory)
    // A killed process may have renamed and not synced: what is acted upon here must not be taken back by a power cut.
    if left != nil { try directory.sync() }
    if case .renaming(let whole)? = left, whole.consumer != nil {
      try Self.check(whole, isFor: purpose, directory.path.appending(name + ".partial"))
      try directory.rename(name + ".partial", to: name)
      try directory.sync()
      return nil
    }
    if let status = try directory.status(name) {
      let path = directory.path.appending(name)
      guard purpose.replace else {
        throw CommandFailure(.usage, "\(path) is there already; give another name to --output, or --replace to lose what is in it")
      }
      guard status.kind == .regular else {
        throw CommandFailure(
          .usage, "\(path) is no regular file, and --replace takes the place of nothing else; give another name to --output")
      }
    }
    if case .drawn(let earlier)? = left, earlier.consumer != nil, earlier.next != earlier.first {
      let path = directory.path.appending(name + ".partial")
      try Self.check(earlier, isFor: purpose, path)
      let found = try Self.lock(name + ".partial", in: directory)
      contents = earlier
      isCommitted = try Self.isCommitted(earlier, cursor: purpose.cursor, path)
      file = try Self.whole(found, name + ".partial", earlier.length, in: directory)
      return
    }
    contents = Contents(
      queueID: purpose.queueID, queue: purpose.queue, consumer: purpose.consumer, first: purpose.cursor, batch: purpose.cursor,
      next: purpose.cursor, records: 0, bytes: 0, length: 0)
    isCommitted = true
    // What is left of an earlier pull goes, and the file is always a new one: nobody else's link, pipe or file is opened.
    if try directory.status(name + ".partial") != nil {
      if let old = try? directory.open(name + ".partial", .read) { try Self.lock(old, name + ".partial", in: directory) }
      try directory.unlink(name + ".partial")
    }
    if contents.consumer != nil { try directory.replace(name + ".partial.offsets", with: Self.encoded(contents)) }
    file = try directory.open(name + ".partial", .createNew)
    guard try file.lock() else { throw Self.busy(directory.path.appending(name + ".partial")) }
    try directory.sync()
  }

  /// Steps 3 and 4.
  func take(_ batch: PulledBatch) throws {
    if !commits, contents.next == contents.first { (contents.first, contents.next) = (batch.first, batch.first) }
    guard batch.first.offset == contents.next.offset else {
      throw CommandFailure(
        .failure,
        "the cursor of '\(contents.consumer ?? "")' was moved from \(contents.next) to \(batch.first) while \(directory.path.appending(partial)) was drawn; move that and its .offsets away, and see who else pulls or seeks with this consumer"
      )
    }
    if !batch.body.isEmpty { try file.write(batch.body, at: contents.length) }
    contents.batch = contents.next
    contents.next = batch.next
    contents.records += batch.records
    contents.bytes += batch.byteCount
    contents.length += Int64(batch.body.count)
    guard commits else { return }
    if !batch.body.isEmpty { try file.sync() }
    try directory.replace(partialOffsets, with: Self.encoded(contents))
    isCommitted = false
  }

  /// Steps 7 and 8.
  func finish() throws {
    if form == .gzip, contents.length == 0 {
      // Even nothing is a file that zcat reads.
      let empty = GzipMember(joining: []).pieces.flatMap { piece in piece.withUnsafeBytes { Array($0) } }
      try file.write(empty, at: 0)
      contents.length = Int64(empty.count)
      if commits {
        try file.sync()
        try directory.replace(partialOffsets, with: Self.encoded(contents))
      }
    }
    if !commits {
      try file.sync()
      try directory.replace(partialOffsets, with: Self.encoded(contents))
    }
    try Self.rename(name, in: directory)
  }

  /// Ends files of the same consumer in `directory` that an earlier run has left, but `name`.
  /// - Parameters:
  ///   - purpose: its cursor moves when something was left to commit.
  ///   - commit: commits an offset; called when the cursor stands before a file's last batch.
  ///   - tell: hears of each file that was ended.
  static func endOthers(
    than name: String, in directory: any Directory, for purpose: inout Purpose, commit: (WireOffset) async throws -> Void,
    tell: (String) -> Void
  ) async throws {
    let suffix = ".partial.offsets"
    for entry in try directory.names() where entry.hasSuffix(suffix) {
      let other = String(entry.dropLast(suffix.count))
      guard other != name, case .drawn(let contents)? = try leftover(other, in: directory), contents.queueID == purpose.queueID,
        contents.consumer != nil, contents.consumer == purpose.consumer, contents.next != contents.first,
        let file = try? directory.open(other + ".partial", .update), try file.lock()
      else { continue }
      let path = directory.path.appending(other)
      try directory.sync()
      let cursor = purpose.cursor.offset
      guard contents.next.offset <= cursor || contents.batch.offset == cursor else {
        tell(
          "\(path).partial was left half-finished by an earlier pull, and the cursor was moved back into its records, which are given again; remove it and its .offsets when they are not needed"
        )
        continue
      }
      guard try directory.status(other) == nil else {
        throw CommandFailure(
          .failure,
          "\(path).partial holds records \(contents.first) to \(contents.next), which are committed, and \(path) is there already; move that away, so that the earlier pull can be ended"
        )
      }
      if contents.next.offset > cursor {
        try await commit(contents.next)
        purpose.cursor = contents.next
      }
      _ = try whole(file, other + ".partial", contents.length, in: directory)
      try rename(other, in: directory)
      tell("\(path) was left half-finished by an earlier pull: it is whole now, with records \(contents.first) to \(contents.next)")
    }
  }

  // MARK: What is left of an earlier run

  private enum Leftover {
    /// FILE.partial.offsets says what is in FILE.partial.
    case drawn(Contents)
    /// Step 8 is missing.
    case renaming(Contents)
  }

  /// Far more than they ever have.
  private static let maximumOffsetsBytes = 64 << 10

  private static func leftover(_ name: String, in directory: any Directory) throws -> Leftover? {
    if let bytes = try directory.contents(name + ".partial.offsets", limit: maximumOffsetsBytes) {
      guard let contents = decoded(bytes) else {
        throw CommandFailure(
          .failure,
          "\(directory.path.appending(name + ".partial.offsets")) can't be read, so it is unknown what is in the file beside it; move both away"
        )
      }
      return .drawn(contents)
    }
    guard let status = try directory.status(name + ".partial"),
      let bytes = try directory.contents(name + ".offsets", limit: maximumOffsetsBytes), let contents = decoded(bytes),
      contents.length == status.size, contents.length > 0
    else { return nil }
    return .renaming(contents)
  }

  /// Refuses to touch what another consumer has committed.
  private static func check(_ contents: Contents, isFor purpose: Purpose, _ path: FilePath) throws(CommandFailure) {
    guard contents.queueID != purpose.queueID || contents.consumer != purpose.consumer else { return }
    throw CommandFailure(
      .failure,
      "\(path) holds records \(contents.first) to \(contents.next) of '\(contents.queue)' that consumer '\(contents.consumer ?? "")' has committed, and this pull is another's; give another name to --output, or move it and its .offsets away"
    )
  }

  private static func isCommitted(_ contents: Contents, cursor: WireOffset, _ path: FilePath) throws(CommandFailure) -> Bool {
    if contents.next.offset == cursor.offset { return true }
    if contents.batch.offset == cursor.offset { return false }
    throw CommandFailure(
      .failure,
      "\(path) holds records \(contents.first) to \(contents.next), but the cursor of '\(contents.consumer ?? "")' was moved to \(cursor): to go on with the file, 'sluice queue seek' it to \(contents.next); to begin another, move the file and its .offsets away"
    )
  }

  private static func lock(_ name: String, in directory: any Directory) throws -> any File {
    let file = try directory.openUnshared(name, .update)
    try lock(file, name, in: directory)
    return file
  }

  private static func lock(_ file: any File, _ name: String, in directory: any Directory) throws {
    // Another pull may have renamed it between our opening and our lock.
    guard try file.lock(), try directory.status(name)?.inode == file.status().inode else { throw busy(directory.path.appending(name)) }
  }

  private static func busy(_ path: FilePath) -> CommandFailure {
    CommandFailure(.held, "another pull is writing \(path); give another name to --output, or wait for its end")
  }

  /// The file up to its last whole batch. When something stands behind that, it may be because a sync of it failed: such a file is never
  /// synced again, a copy takes its place. What is copied had been synced before.
  private static func whole(_ file: any File, _ name: String, _ length: Int64, in directory: any Directory) throws -> any File {
    let size = try file.status().size
    guard size >= length else {
      throw CommandFailure(
        .failure, "\(file.path) has become shorter than its .offsets says (\(size) instead of \(length) bytes); move both away")
    }
    guard size > length else { return file }
    let temporary = name + ".tmp"
    if try directory.status(temporary) != nil { try directory.unlink(temporary) }
    let copy = try directory.open(temporary, .createNew)
    guard try copy.lock() else { throw busy(directory.path.appending(temporary)) }
    var position: Int64 = 0
    while position < length {
      let piece = try file.read(Int(min(1 << 20, length - position)), at: position)
      guard !piece.isEmpty else { throw busy(file.path) }
      try copy.write(piece, at: position)
      position += Int64(piece.count)
    }
    try copy.sync()
    try directory.rename(temporary, to: name)
    try directory.sync()
    return copy
  }

  private static func rename(_ name: String, in directory: any Directory) throws {
    try directory.rename(name + ".partial.offsets", to: name + ".offsets")
    try directory.sync()
    try directory.rename(name + ".partial", to: name)
    // What a killed run had begun to write.
    for temporary in [name + ".partial.offsets.tmp", name + ".partial.tmp"] where try directory.status(temporary) != nil {
      try directory.unlink(temporary)
    }
    try directory.sync()
  }

  private static func encoded(_ contents: Contents) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    guard let data = try? encoder.encode(contents) else { preconditionFailure("strings and numbers are always JSON") }
    return Array(data) + [0x0A]
  }

  private static func decoded(_ bytes: [UInt8]) -> Contents? {
    guard let contents = try? JSONDecoder().decode(Contents.self, from: Data(bytes)), contents.version == 1 else { return nil }
    return contents
  }
}
