internal import CLinux
internal import Glibc
internal import Logging
internal import PipelineCore
internal import RecordBlocks
internal import SystemPackage

/// Follows the files of one source: finds them, decides what they are, reads them in turn, and tells the output how far.
///
/// One thread uses it. `run` waits for changes; `pass` does everything there is to do at the clock's present time and returns, so a test
/// can drive it without waiting. The parts that decide are pure (``ResumeDecision``, ``CopyDecision``, ``LastLineRule``, the cutters); this
/// carries them out.
final class TailEngine {
  /// The stream number that says only that the source has started before.
  static let sourceStream: UInt32 = 0
  /// One file's turn, so that a file with a long backlog doesn't keep the others waiting.
  static let turnBytes = 4 << 20
  /// A line over the limit is read without a pause up to this much, so that its pieces follow each other.
  static let splitTurnBytes = 64 << 20
  /// A deleted file that was read to its end is let go when nothing came for this time.
  static let deletedQuiet: Duration = .seconds(5)
  /// A rotated file outside the patterns is watched for late bytes for this time.
  static let rotatedQuiet: Duration = .seconds(3600)
  /// Inflating costs memory, so few compressed files are open at a time.
  static let mostCompressed = 2
  /// Bufferfuls that are heard out in a scan: more than the kernel keeps by default.
  static let mostDrains = 16
  /// Paths remembered between two scans for what inotify told of them.
  static let mostUnseen = 4096
  /// Checkpoints kept of files that can't be found.
  static let mostMissing = 10_000
  /// Checkpoints of one batch; a block's header has room for some hundred.
  static let mostChanges = 100

  let configuration: FileTailSource.Configuration
  let search: GlobSearch
  let reader: RecordReader
  let rule: LastLineRule
  let clock: any TailClock
  let boot: BootID
  let counters: TailCounters
  let followed: FollowedFiles
  let log: TailLog
  var watcher: DirectoryWatcher?

  var streams: [UInt32: TailedStream] = [:]
  var byPath: [FilePath: TailedStream] = [:]
  var links: [FilePath: FilePath] = [:]
  /// Paths that a stream left, for the file that comes next there.
  var vacated: [FilePath: TailedStream] = [:]
  /// Files that were renamed out of the patterns before anyone looked at them, by their present paths. Only inotify tells of them; they
  /// are kept until they have a stream.
  var renamedUnseen: [FilePath: RenamedUnseen] = [:]
  private var renames = 0
  /// Paths without a stream that were written to since the last scan.
  var writtenUnseen: Set<FilePath> = []
  /// Files with the content of a stream that is still read from its own file.
  var copies: [FileKey: Copy] = [:]
  /// Files of which it isn't clear yet whether they become copies.
  var undecided: [FileKey: (size: UInt64, since: Duration)] = [:]
  /// Descriptors or memory ran out in this scan: what wasn't found then may be there all the same, so nothing is given up and nothing
  /// begun.
  var isShortOfResources = false
  /// Files that couldn't be compared with a stream this time: not to be taken for new ones.
  var undetermined: Set<FileKey> = []
  var isFirstStart = false
  var hasScanned = false

  private var queue: [TailedStream] = []
  private var queueStart = 0
  private var held: [TailedStream] = []
  private var wakeTimes: [UInt32: Duration] = [:]
  var open: [UInt32: TailedStream] = [:]
  private var pending: [CheckpointChange] = []
  private var nextNumber: UInt32 = 1
  private var sequence: UInt64 = 0
  private var turn: UInt64 = 0
  private var lastWriter: UInt32?
  private var nextScan: Duration
  private var scanIsWanted = true
  private var lastScanEnd: Duration
  private var lastScanTook: Duration = .zero

  /// Where a file comes from that was renamed before anyone looked at it.
  struct RenamedUnseen {
    /// Its path in the patterns.
    var origin: FilePath
    /// It left the patterns as the how-manieth.
    var number: Int
  }

  /// A file with the content of `stream`.
  struct Copy {
    var stream: TailedStream
    var file: FoundFile
    var since: Duration

    /// So many bytes are known to be the same in both.
    var common: UInt64

    init(stream: TailedStream, file: FoundFile, since: Duration) {
      self.stream = stream
      self.file = file
      self.since = since
      common = min(file.size, stream.place.position)
    }
  }

  init(
    configuration: FileTailSource.Configuration, checkpoints: [StreamCheckpoint], search: GlobSearch, linePattern: LinePattern?,
    usesInotify: Bool,
    clock: any TailClock, boot: BootID, counters: TailCounters, followed: FollowedFiles
  ) {
    self.configuration = configuration
    self.search = search
    self.clock = clock
    self.boot = boot
    self.counters = counters
    self.followed = followed
    log = TailLog(configuration.logger, source: configuration.name)
    rule = LastLineRule(idleFlush: configuration.idleFlush, multilineTimeout: configuration.multiline?.timeout)
    let encoder = configuration.format == .json ? JSONRecordEncoder(host: configuration.hostName) : nil
    let beginsRecord: ((UnsafeRawBufferPointer) -> Bool)? = linePattern.map { pattern in
      { line in
        if let matches = pattern.matches(line) { return matches }
        counters.update { $0.patternLimits += 1 }
        return false
      }
    }
    reader = RecordReader(
      maxLineBytes: configuration.maxLineBytes, encoder: encoder, beginsRecord: beginsRecord, rule: rule, once: configuration.once)
    nextScan = clock.now()
    lastScanEnd = clock.now()
    if usesInotify {
      do throws(Errno) { watcher = try DirectoryWatcher() } catch { log.noInotify(error) }
    }
    load(checkpoints)
  }

  private func load(_ checkpoints: [StreamCheckpoint]) {
    isFirstStart = !checkpoints.contains { $0.stream == Self.sourceStream }
    for checkpoint in checkpoints where checkpoint.stream != Self.sourceStream {
      guard let identity = StreamIdentity(decoding: checkpoint.identity), let place = StreamPlace(decoding: checkpoint.value) else {
        nextNumber = max(nextNumber, checkpoint.stream + 1)
        log.unreadableCheckpoint(checkpoint.stream)
        continue
      }
      let stream = TailedStream(number: checkpoint.stream, identity: identity, place: place, now: clock.now())
      stream.saved = (identity, place)
      streams[stream.number] = stream
      // Past the predecessor too, lest a new stream be taken for it.
      nextNumber = max(nextNumber, stream.number + 1, place.predecessor + 1)
      if place.sequence >= sequence {
        sequence = place.sequence
        lastWriter = stream.number
      }
    }
    for stream in streams.values { stream.predecessor = streams[stream.place.predecessor] }
  }

  // MARK: - Running

  /// Follows the files until the task is cancelled or, with `once`, all is read.
  func run(into output: some RecordOutput, wake: WakeSignal) async throws {
    while true {
      try await pass(into: output)
      if configuration.once && !hasWork { return }
      wait(wake)
    }
  }

  /// Something is left to read, or waits for a time.
  var hasWork: Bool { queueStart < queue.count || !held.isEmpty || !wakeTimes.isEmpty || !pending.isEmpty || !hasScanned }

  /// Does everything that can be done now: looks for changes, reads every file that has some, and releases what has waited long enough.
  func pass(into output: some RecordOutput) async throws {
    requeueHeld()
    while true {
      try Task.checkCancellation()
      drainWatcher()
      if scanIsDue {
        try await scanNow(output)
      }
      wakeSleepers()
      guard let stream = nextReady() else { break }
      try await takeTurn(stream, output)
    }
    try await flush(output)
  }

  /// Makes the next ``pass(into:)`` look at all files.
  func wantScan() { scanIsWanted = true }

  private var scanIsDue: Bool {
    let now = clock.now()
    if configuration.once && hasScanned { return false }
    // A directory in which names come and go all the time must not turn into looking at directories all the time.
    if scanIsWanted { return !hasScanned || now >= lastScanEnd + min(lastScanTook * 10, configuration.rescanInterval) }
    return now >= nextScan
  }

  private func scanNow(_ output: some RecordOutput) async throws {
    let start = clock.now()
    scanIsWanted = false
    scan()
    let end = clock.now()
    lastScanEnd = end
    lastScanTook = end - start
    nextScan = end + configuration.rescanInterval
    if isFirstStart, !isShortOfResources {
      isFirstStart = false
      // Told last: a crash before it finds a first start again, and the files that were told already at their checkpoints.
      pending.append(.set(stream: Self.sourceStream, identity: StreamIdentity.source, value: [1]))
    }
    // With `once` there is one scan, and it has to be a whole one.
    hasScanned = hasScanned || !configuration.once || !isShortOfResources
    try await flush(output)
    updateStatistics()
  }

  /// Hears what the watcher has to tell, in at most so many bufferfuls.
  func drainWatcher(most: Int = 1) {
    guard let watcher else { return }
    for _ in 0..<most where !watcher.drain(hear) { return }
  }

  private func hear(_ change: DirectoryWatcher.Change) {
    switch change {
    case .modified(let path): wasWritten(path)
    case .renamed(let path, let newPath): wasRenamed(path, to: newPath)
    case .deleted(let path): wasDeleted(path)
    case .names: scanIsWanted = true
    case .overflow:
      scanIsWanted = true
      log.overflow()
    }
  }

  private func wasWritten(_ path: FilePath) {
    if let stream = byPath[path] ?? links[path].flatMap({ byPath[$0] }) {
      if stream.input == nil { stream.wasWrittenClosed = true }
      ready(stream)
    } else if writtenUnseen.count < Self.mostUnseen {
      writtenUnseen.insert(path)
    }
  }

  private func wasRenamed(_ path: FilePath, to newPath: FilePath) {
    var file = renamedUnseen.removeValue(forKey: path)
    if file == nil, search.names(path) {
      renames += 1
      file = RenamedUnseen(origin: path, number: renames)
    }
    // What had the new name is gone.
    renamedUnseen[newPath] = nil
    if let file, !search.names(newPath), renamedUnseen.count < Self.mostUnseen { renamedUnseen[newPath] = file }
    if writtenUnseen.remove(path) != nil { writtenUnseen.insert(newPath) }
  }

  private func wasDeleted(_ path: FilePath) {
    let wasRenamed = renamedUnseen.removeValue(forKey: path) != nil
    guard writtenUnseen.remove(path) != nil, byPath[path] == nil, wasRenamed || search.names(path) else { return }
    log.deletedUnseen(path)
  }

  private func wait(_ wake: WakeSignal) {
    var deadline = configuration.once && hasScanned ? nil : nextScan
    if scanIsWanted, !configuration.once { deadline = min(nextScan, lastScanEnd + min(lastScanTook * 10, configuration.rescanInterval)) }
    if let sleeper = wakeTimes.values.min() { deadline = min(deadline ?? sleeper, sleeper) }
    let rest = (deadline ?? .seconds(3600)) - clock.now()
    let milliseconds = max(
      0, min(rest.components.seconds, 3600) * 1000 + rest.components.attoseconds / 1_000_000_000_000_000 + (rest > .zero ? 1 : 0))
    var descriptors = [pollfd(fd: wake.fileDescriptor, events: Int16(POLLIN), revents: 0)]
    if let watcher { descriptors.append(pollfd(fd: watcher.fileDescriptor, events: Int16(POLLIN), revents: 0)) }
    _ = poll(&descriptors, nfds_t(descriptors.count), Int32(milliseconds))
  }

  // MARK: - The queue of streams to read

  /// Puts a stream into the queue of those to read.
  func ready(_ stream: TailedStream) {
    guard !stream.isReady, !stream.isForgotten else { return }
    stream.isReady = true
    queue.append(stream)
  }

  private func nextReady() -> TailedStream? {
    while queueStart < queue.count {
      let stream = queue[queueStart]
      queueStart += 1
      if queueStart == queue.count || queueStart > 4096 {
        queue.removeFirst(queueStart)
        queueStart = 0
      }
      if stream.isForgotten { continue }
      if let predecessor = stream.predecessor {
        if !predecessor.isFinished {
          held.append(stream)
          continue
        }
        stream.predecessor = nil
        stream.place.predecessor = 0
      }
      return stream
    }
    return nil
  }

  /// Opens files with unread bytes as far as descriptors go, so that their deletion takes nothing away.
  func openAhead() {
    for stream in queue[queueStart...] where stream.input == nil && stream.hasUnseenBytes && !stream.isForgotten {
      if open.count >= configuration.maxOpenFiles, !closeOne(onlyIdle: true) { return }
      _ = openInput(stream)
    }
  }

  /// Keeps a ready stream back until another is done with something (its turn before it, a place among the compressed).
  func hold(_ stream: TailedStream) {
    stream.isReady = true
    held.append(stream)
  }

  private func requeueHeld() {
    queue.append(contentsOf: held)
    held.removeAll()
  }

  /// Another stream may go on where this one stood in its way.
  func madeWay() { requeueHeld() }

  private func wakeSleepers() {
    guard !wakeTimes.isEmpty else { return }
    let now = clock.now()
    for (number, time) in wakeTimes where time <= now {
      wakeTimes[number] = nil
      if let stream = streams[number] { ready(stream) }
    }
  }

  /// Sets when a stream with an unended last line is looked at again.
  func setWakeTime(_ stream: TailedStream, _ time: Duration?) { wakeTimes[stream.number] = time }

  // MARK: - Streams

  /// A new stream for a file, from its beginning.
  func makeStream(_ file: FoundFile) -> TailedStream {
    let identity = StreamIdentity(device: file.device, inode: file.inode, path: file.path)
    var place = StreamPlace()
    place.boot = boot
    let stream = TailedStream(number: nextNumber, identity: identity, place: place, now: clock.now())
    nextNumber += 1
    stream.noteSize(of: file)
    streams[stream.number] = stream
    byPath[file.path] = stream
    return stream
  }

  /// Ends a stream: nothing of it is left to read.
  func forget(_ stream: TailedStream) {
    closeInput(stream)
    stream.isForgotten = true
    streams[stream.number] = nil
    wakeTimes[stream.number] = nil
    if byPath[stream.identity.path] === stream { byPath[stream.identity.path] = nil }
    if stream.saved != nil { pending.append(.forget(stream: stream.number)) }
    copies = copies.filter { $0.value.stream !== stream }
    madeWay()
  }

  /// Tells the output of a stream's identity and place with the next batch. Of a file that wasn't seen in this boot, the boot of its
  /// checkpoint stays: a power cut may have taken its end back.
  func save(_ stream: TailedStream, wasSeen: Bool = true) {
    if wasSeen { stream.place.boot = boot }
    pending.append(.set(stream: stream.number, identity: stream.changedIdentity, value: stream.place.encoded))
    stream.saved = (stream.identity, stream.place)
  }

  /// Writes down that bytes up to `end` were seen and are gone.
  func lose(_ stream: TailedStream, upTo end: UInt64) {
    guard end > stream.place.position else { return }
    let bytes = end - stream.place.position
    counters.update { $0.lostBytes += bytes }
    log.lost(stream.identity.path, bytes)
    lostBytes += bytes
  }

  /// Bytes lost since the last gap was recorded.
  var lostBytes: UInt64 = 0

  // MARK: - Output

  /// Writes a batch of a stream's records with the checkpoint that covers exactly them.
  func write(_ batch: consuming RecordBatch, of stream: TailedStream, continues: Bool, _ output: some RecordOutput) async throws {
    if pending.count > Self.mostChanges / 2 { try await flush(output) }
    sequence += 1
    stream.place.sequence = sequence
    stream.place.boot = boot
    stream.place.missingSince = 0
    batch.firstContinues = continues && lastWriter == stream.number && configuration.format == .raw
    lastWriter = stream.number
    save(stream)
    let changes = pending
    pending.removeAll(keepingCapacity: true)
    try await output.write(batch, checkpoints: changes)
    followed.note(stream)
  }

  /// Writes checkpoints that no records go with, and the gap of what was lost.
  func flush(_ output: some RecordOutput) async throws {
    if lostBytes > 0 {
      let wall = clock.wallTime()
      let time = wall.seconds * 1_000_000_000 + wall.nanoseconds
      output.recordGap(Gap(reason: .dropped, records: 0, bytes: lostBytes, firstTime: time, lastTime: time))
      lostBytes = 0
    }
    while !pending.isEmpty {
      let changes = Array(pending.prefix(Self.mostChanges))
      pending.removeFirst(changes.count)
      try await output.write(RecordBatch(), checkpoints: changes)
    }
  }

  /// Counts turns, for choosing which descriptor to close.
  func countTurn(_ stream: TailedStream) {
    turn += 1
    stream.lastTurn = turn
  }

  private func updateStatistics() {
    followed.replace(with: streams)
    var unread: UInt64 = 0
    for stream in streams.values where stream.knownSize > stream.place.position { unread += stream.knownSize - stream.place.position }
    counters.update {
      $0.files = streams.count
      $0.openFiles = open.count
      $0.unreadBytes = unread
      $0.splitRecords = reader.splitRecords
      $0.invalidRecords = reader.invalidRecords
    }
  }
}
