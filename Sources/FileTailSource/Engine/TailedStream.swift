internal import SystemPackage

/// One tailed file: what it is, how far it was delivered, and what was last seen of it.
final class TailedStream {
  /// Its number in checkpoints.
  let number: UInt32
  /// What it is; see ``StreamIdentity``.
  var identity: StreamIdentity
  /// How far it was delivered.
  var place: StreamPlace
  /// The identity and place that the output has; nil when it has none.
  var saved: (identity: StreamIdentity, place: StreamPlace)?

  /// Open while it is read, and as long after as descriptors suffice.
  var input: InputFile?
  /// The open file's content at the checkpoint was looked at and is the stream's.
  var isVerified = false
  /// Its file was found in this run (before that, only its checkpoint is known).
  var isMet = false
  /// Go on at an earlier checkpoint: a power cut may have taken the end back.
  var needsEarlierCheckpoint = false
  /// The first bytes that were delivered, until there are as many as a head can have; nil then, and before the file was looked at.
  var headBytes: [UInt8]? = []

  /// Up to here no record ends after the position.
  var scanned: UInt64 = 0
  /// The furthest end seen.
  var readEnd: UInt64 = 0
  /// The length at the last look.
  var knownSize: UInt64 = 0
  /// Don't read past this position (`--once`).
  var limit: UInt64?
  /// Length and time of change when it was read to its end; nil when it must be looked at.
  var clean: (size: UInt64, modified: Int64)?
  /// inotify told of a change while its file was closed, and it wasn't opened since.
  var wasWrittenClosed = false
  /// Read to its end after the last sign of growth.
  var isCaughtUp = false
  /// What decides about an unended last line.
  var lastLine: LastLineRule.State

  /// The patterns name it (a rotated file may have left them).
  var isInPatterns = true
  /// No directory entry that we know leads to it.
  var isGone = false
  /// In the queue of streams to read.
  var isReady = false
  /// The stream that had this path before: it is read to its end first.
  var predecessor: TailedStream?
  /// Taken off the list; nothing more is done with it.
  var isForgotten = false
  /// When it was last given a turn, in turns; the descriptor to close first is the oldest's.
  var lastTurn: UInt64 = 0
  /// In place of its content another was found in its file (before its first use in this run).
  var wasOverwritten = false
  /// That its compressed data is damaged was told.
  var toldDamage = false
  /// It was searched for among all files of its directory.
  var wasSearched = false
  /// The last error at opening or reading was told.
  var isTroubled = false

  init(number: UInt32, identity: StreamIdentity, place: StreamPlace, now: Duration) {
    self.number = number
    self.identity = identity
    self.place = place
    scanned = place.position
    readEnd = place.position
    lastLine = LastLineRule.State(lastGrowth: now, replacedAt: place.isReplaced ? now : nil)
    if place.position > 0 { headBytes = nil }
  }

  /// Device and inode.
  var key: FileKey { FileKey(device: identity.device, inode: identity.inode) }

  /// Something stands between the position and the end that isn't a whole record.
  var hasPartial: Bool { readEnd > place.position }

  /// Read to its end, with nothing left that waits to be completed.
  var isFinished: Bool { isForgotten || isTroubled || (isGone && input == nil) || (isCaughtUp && !hasPartial && !isReady) }

  /// The last look saw more than was read (never told of a compressed file).
  var hasUnseenBytes: Bool { knownSize > readEnd }

  /// Its file can still be read, under a name or through the open descriptor.
  var isReachable: Bool { !isGone || input != nil }

  /// Must not be closed: its bytes can't be reached again.
  var holdsLastDescriptor: Bool { input != nil && isGone }

  /// Notes the file's length; that of a compressed file says nothing about positions.
  func noteSize(of file: FoundFile) { knownSize = RotationName.isGzip(file.path.lastNameBytes) ? 0 : file.size }

  /// What the output is to be told with the next batch; nil for the identity when that hasn't changed.
  var changedIdentity: [UInt8]? { saved?.identity == identity ? nil : identity.encoded }

  /// Counts `bytes` of the file, which go on from the position, as delivered.
  func advance(over bytes: UnsafeRawBufferPointer, _ input: InputFile, isUnended: Bool) {
    let (hash, length) = input.advanceMarker(over: bytes)
    place.position += UInt64(bytes.count)
    place.markerHash = hash
    place.markerLength = length
    place.isUnended = isUnended
    scanned = max(scanned, place.position)
    guard var head = headBytes else { return }
    headBytes = nil
    head.append(contentsOf: bytes.prefix(StreamIdentity.maximumHeadLength - head.count))
    identity.headHash = ContentHash(head)
    identity.headLength = head.count
    if head.count < StreamIdentity.maximumHeadLength { headBytes = head }
  }
}
