public import DurableFiles
public import RecordBlocks
public import SystemPackage

/// A queue's files, read without holding the queue, also while another process does: up to the durable end that the holder tells, or, on
/// an idle queue, up to what
/// recovery would keep. Changes nothing. All methods block.
public final class QueueFiles: Sendable {
  /// A segment file.
  public struct SegmentInfo: Sendable, Hashable {
    /// Its first offset.
    public let base: Offset
    /// The offset after its last.
    public let end: Offset
    /// The file's name.
    public let name: String
    /// Its bytes on the disk.
    public let byteCount: Int64
    /// Final, an ordinary gzip file.
    public let isSealed: Bool
    /// Wall time of its beginning, nanoseconds since 1970; nil when its first block is unreadable.
    public let created: Int64?
  }

  /// A consumer's file.
  public struct ConsumerInfo: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// What kind of reader; nil when the file is unreadable.
    public let kind: ConsumerKind?
    /// The next record to read.
    public let cursor: Offset
    /// The end of a batch in flight.
    public let inFlightEnd: Offset?
    /// How often it was set to another place.
    public let seekCount: UInt64
    /// What it may pin.
    public let hold: Hold
    /// Records and bytes behind the durable end.
    public let lagRecords: UInt64
    /// The same in bytes of lines.
    public let lagBytes: UInt64
    /// Records that it lost: told to it as gaps, or gone from the queue and told next.
    public let lostRecords: UInt64
    /// The same in bytes of lines.
    public let lostBytes: UInt64
    /// The loss that it is told next, as the gap that it will be given, and where that ends; nil when nothing at its cursor is gone.
    public let pendingLoss: PendingLoss?
    /// Why its file can't be read, if it can't.
    public let failure: String?
    /// The ranges that it has out and has back, as its file tells; nil unless it is one of leases.
    public let leases: LeaseStatus?
  }

  /// Records at a consumer's cursor that are gone.
  public struct PendingLoss: Sendable, Hashable {
    /// Where it goes on behind them.
    public let next: Offset
    /// What it will be told.
    public internal(set) var gap: Gap
  }

  /// The queue's directory.
  public let path: FilePath
  /// Its identity.
  public let id: QueueID
  /// Seconds since 1970.
  public let created: Int64
  /// Another process has it open.
  public let isHeld: Bool
  /// That process, as far as it told.
  public let holder: String?
  /// Nothing from here on is read.
  public let durableEnd: Offset
  /// The files of blocks, oldest first.
  public let segments: [SegmentInfo]
  /// The consumers by name.
  public let consumers: [ConsumerInfo]
  /// Records, bytes of lines and records lost in gaps, from the queue's creation to the durable end.
  public var totals: (records: UInt64, bytes: UInt64, lost: UInt64) { (tally.records, tally.bytes, tally.lost) }

  private let store: SegmentStore
  private let tally: Tally
  private let readers: @Sendable () -> LogReader

  /// Looks at the queue in `path`.
  /// - Throws: ``QueueError``: `notAQueue`, `newerFormat`, `damaged` when no file tells the queue's identity, `io`.
  public static func open(_ path: FilePath, fileSystem: any FileSystem = LocalFileSystem()) throws(QueueError) -> QueueFiles {
    try unifyingErrors { try QueueFiles(directory(path, fileSystem)) }
  }

  private static func directory(_ path: FilePath, _ fileSystem: any FileSystem) throws(QueueError) -> any Directory {
    try unifyingErrors {
      do throws(FileError) {
        let root = try fileSystem.directory(path, create: false)
        if try root.status("segments") != nil { return root }
      } catch {
        guard error.code == .noSuchFileOrDirectory || error.code == .notDirectory else { throw error }
      }
      throw QueueError(noQueueAt: path)
    }
  }

  /// The queue directories in `directory`, itself included, sorted.
  public static func list(under directory: FilePath, fileSystem: any FileSystem = LocalFileSystem()) throws(QueueError) -> [FilePath] {
    try asQueueError { () throws(FileError) in
      let root = try fileSystem.directory(directory, create: false)
      var found: [FilePath] = []
      if try isQueue(root) { found.append(directory) }
      for name in try root.names() {
        guard try root.status(name)?.kind == .directory else { continue }
        if let child = try? root.subdirectory(name, create: false), try isQueue(child) { found.append(directory.appending(name)) }
      }
      return found
    }
  }

  private static func isQueue(_ directory: any Directory) throws(FileError) -> Bool {
    guard try directory.status("segments")?.kind == .directory else { return false }
    if try directory.status(QueueIdentity.name) != nil { return true }
    return try directory.status(LockFile.name) != nil
  }

  private init(_ root: any Directory) throws {
    path = root.path
    let directory = try root.subdirectory("segments", create: false)
    let known = try QueueDirectory.readIdentity(root)
    let cursorDirectory = try? root.subdirectory("consumers", create: false)
    guard let id = try QueueDirectory.identity(toldBy: directory, cursorDirectory, known: known?.id) ?? known?.id else {
      throw QueueError(.damaged, "neither \(QueueIdentity.name) nor a segment in \(root.path) tells the queue's identity; is it a queue?")
    }
    self.id = id
    created = known?.created ?? 0
    var told: LockFile.Content?
    var held = false
    if try root.status(LockFile.name) != nil {
      let lock = try root.open(LockFile.name, .read)
      told = LockFile.decode(try lock.read(LockFile.byteCount, at: 0))
      held = try !lock.lock()
    }
    isHeld = held
    holder = held ? told.map { "pid \($0.processID)" } ?? "another process" : nil

    let cursors: [(String, Result<CursorFile, QueueError>)]
    do throws(QueueError) {
      cursors = try cursorDirectory.map { directory throws(QueueError) in try QueueDirectory.readCursors(directory, id) } ?? []
    } catch {
      cursors = []
    }
    var toldEnd = told?.queueIDHigh == id.high ? told?.durableEnd ?? .zero : .zero
    for case (_, .success(let file)) in cursors { toldEnd = max(toldEnd, file.current.cursor, file.current.inFlightEnd ?? .zero) }

    // Both names of a base may be there for a moment while it is sealed: either serves.
    var names: [SegmentName] = []
    for name in try directory.names().compactMap(SegmentName.init).sorted(by: {
      ($0.base, $0.state.rawValue.utf8.count) < ($1.base, $1.state.rawValue.utf8.count)
    })
    where name.state != .temporary && names.last?.base != name.base {
      names.append(name)
    }
    store = SegmentStore(directory, queueID: id, segments: [])
    for (index, name) in names.enumerated() {
      guard let size = try directory.status(name.text)?.size else { continue }
      let end = index + 1 < names.count ? names[index + 1].base : Offset(UInt64.max / 2)
      store.append(Segment(Segment.State(name: name, byteCount: size, end: end, needsRepack: false, file: nil, firstHeader: nil)))
    }
    durableEnd = held && told != nil ? toldEnd : try Self.recoverableEnd(store, toldEnd: toldEnd)
    let end = durableEnd
    store.all.last?.update { $0.end = end }
    let store = store
    readers = { LogReader(LogReader.Source(store: store, durableEnd: { end }, recent: { _ in nil }, damaged: { _, _, _, _ in })) }
    let reader = readers()
    tally = (try? reader.tally(at: end)) ?? Tally()
    let tally = tally
    segments = store.all.map { segment in
      let header = try? segment.header(in: directory, queueID: id)
      return SegmentInfo(
        base: segment.base, end: min(segment.end, end), name: segment.name.text, byteCount: segment.byteCount, isSealed: segment.isSealed,
        created: header?.firstTime)
    }
    consumers = cursors.map { name, file in
      switch file {
      case .success(let file):
        let record = file.current
        let standing = record.standing(at: tally) { try? reader.tally(at: $0) }
        return ConsumerInfo(
          name: name, kind: record.kind, cursor: record.cursor, inFlightEnd: record.inFlightEnd, seekCount: record.seekCount,
          hold: record.hold,
          lagRecords: standing.lagRecords, lagBytes: standing.lagBytes, lostRecords: standing.lostRecords, lostBytes: standing.lostBytes,
          pendingLoss: record.pendingLoss(startOffset: store.startOffset) { try? reader.tally(at: $0) }, failure: nil,
          leases: QueueConsumer.leaseStatus(record, QueueConsumer.loans(of: record, now: 0), now: 0))
      case .failure(let error):
        return ConsumerInfo(
          name: name, kind: nil, cursor: .zero, inFlightEnd: nil, seekCount: 0, hold: .all, lagRecords: 0, lagBytes: 0, lostRecords: 0,
          lostBytes: 0, pendingLoss: nil, failure: error.description, leases: nil)
      }
    }
  }

  /// Where the log of an idle queue would end after recovery; see ``Recovery``.
  private static func recoverableEnd(_ store: SegmentStore, toldEnd: Offset) throws(FileError) -> Offset {
    guard let last = store.all.last else { return toldEnd }
    let (file, byteCount, _) = try last.open(in: store.directory)
    var scanner = BlockScanner(file, queueID: store.queueID, range: 0..<byteCount, expecting: last.base)
    var told = toldEnd
    var damage: [(first: Offset, reachesEnd: Bool)] = []
    var end = last.base
    while let item = try scanner.next() {
      switch item {
      case .block(let block, _):
        told = max(told, block.header.durableEnd)
        if damage.isEmpty || damage.allSatisfy({ $0.first < told }) { end = block.header.end }
      case .damage(_, let first, let resumesAt, _): damage.append((first, resumesAt == nil))
      case .header: preconditionFailure("this scanner reads whole blocks")
      }
    }
    if let torn = damage.first(where: { $0.first >= told }) { end = min(end, torn.first) }
    return max(end, told)
  }

  /// Records and gaps in order from `offset` on, until `body` returns false. What is damaged comes as a gap, and so does what is gone
  /// before the oldest kept: of that only the offsets are known here. A consumer's own loss is told exactly by ``ConsumerInfo/pendingLoss``.
  public func read(from offset: Offset, limits: BatchLimits = BatchLimits(maxBytes: 1 << 20), _ body: (QueueBatch) throws -> Bool) throws {
    let reader = readers()
    var place = max(offset, store.startOffset)
    if offset < place {
      let gap = Gap(reason: .retention, records: UInt64(place - offset), bytes: 0, firstTime: 0, lastTime: 0)
      let batch = QueueBatch(first: offset, next: place, content: .gap(gap), byteCount: 0, recordCount: 0, tally: Tally())
      guard try body(batch) else { return }
    }
    while let batch = try reader.read(from: place, limits: limits) {
      guard try body(batch) else { return }
      place = batch.next
    }
  }

  /// The oldest record kept.
  public var startOffset: Offset { store.startOffset }

  // MARK: Verifying

  /// Something that ``verify(progress:finding:)`` met.
  public struct Finding: Sendable, Hashable {
    /// The file.
    public let segment: String
    /// Where in it.
    public let position: Int64
    /// What is there, in one sentence.
    public let message: String
    /// Records are unreadable; else it is only worth knowing (a torn tail that recovery will cut, say).
    public let isDamage: Bool
  }

  /// What ``verify(progress:finding:)`` counted.
  public struct Summary: Sendable, Hashable {
    /// Sound blocks.
    public var blocks = 0
    /// Records in them.
    public var records: UInt64 = 0
    /// Bytes of lines in them.
    public var bytes: UInt64 = 0
    /// Gaps in the log.
    public var gaps = 0
    /// Records that these lost.
    public var lostRecords: UInt64 = 0
    /// Damaged places.
    public var damaged = 0
    /// Offsets in damaged places.
    public var unreadableOffsets: UInt64 = 0
  }

  /// Reads every byte, checks every checksum and inflates every block.
  /// - Parameters:
  ///   - progress: told now and then how many bytes of how many are done.
  ///   - finding: told of each thing that isn't as it should be.
  public func verify(progress: (Int64, Int64) -> Void, finding: (Finding) -> Void) throws(QueueError) -> Summary {
    try asQueueError { () throws(FileError) in
      var summary = Summary()
      let total = store.all.reduce(0) { $0 + $1.byteCount }
      var done: Int64 = 0
      for segment in store.all {
        let (file, byteCount, _) = try segment.open(in: store.directory)
        let name = segment.name.text
        let limit = min(segment.end, durableEnd)
        var scanner = BlockScanner(file, queueID: id, range: 0..<byteCount, expecting: segment.base)
        scanning: while let item = try scanner.next() {
          switch item {
          case .header: preconditionFailure("this scanner reads whole blocks")
          case .block(let block, let position):
            let header = block.header
            if header.end > limit {
              finding(
                Finding(
                  segment: name, position: position, message: "written after the durable end (offset \(limit)), not looked at",
                  isDamage: false))
              break scanning
            }
            summary.blocks += 1
            if let gap = header.gap {
              summary.gaps += 1
              summary.lostRecords += gap.records
            }
            do throws(BlockDamage) {
              _ = try block.lines()
              summary.records += UInt64(header.recordCount)
              summary.bytes += UInt64(header.lineByteCount)
            } catch {
              report(name, position..<scanner.position, header.base..<header.end, error, &summary, finding)
            }
          case .damage(let bytes, let first, let resumesAt, let reason):
            let end = min(resumesAt?.base ?? limit, limit)
            if first >= limit {
              finding(
                Finding(
                  segment: name, position: bytes.lowerBound,
                  message: "\(bytes.count) bytes of a torn tail, which the next opening cuts off", isDamage: false))
              break scanning
            }
            report(name, bytes, first..<max(end, first), reason, &summary, finding)
          }
          progress(done + scanner.position, total)
        }
        if let reached = scanner.expected, reached < limit, scanner.position >= byteCount {
          report(name, byteCount..<byteCount, reached..<limit, .truncated, &summary, finding)
        }
        done += byteCount
        progress(done, total)
      }
      return summary
    }
  }

  private func report(
    _ segment: String, _ bytes: Range<Int64>, _ offsets: Range<Offset>, _ reason: BlockDamage, _ summary: inout Summary,
    _ finding: (Finding) -> Void
  ) {
    summary.damaged += 1
    summary.unreadableOffsets += UInt64(offsets.upperBound - offsets.lowerBound)
    finding(
      Finding(
        segment: segment, position: bytes.lowerBound,
        message:
          "\(reason.sentence) at position \(bytes.lowerBound) (\(bytes.count) bytes); records \(offsets.lowerBound)..<\(offsets.upperBound) are unreadable; the file was left as it is",
        isDamage: true))
  }
}

extension BlockDamage {
  /// What it is, as the beginning of a sentence.
  public var sentence: String {
    switch self {
    case .truncated: "block cut short"
    case .noBlock: "no block"
    case .headerChecksum: "block header checksum mismatch"
    case .bodyChecksum: "block checksum mismatch"
    case .inflate: "block that doesn't inflate"
    case .foreign: "block of another queue or segment"
    case .newerFormat: "block of a newer format"
    }
  }
}
