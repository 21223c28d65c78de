/// What was found out about a file, set against what a stream's checkpoint says. Everything that decides whether they belong together.
struct FileFacts: Hashable, Sendable {
  /// How the file's first bytes compare with the stream's head.
  enum Head: Hashable, Sendable { case same, different, tooShort }

  var head: Head
  /// At least as long as the checkpoint's position; nil when that isn't known (a compressed file that wasn't inflated so far).
  var isLongEnough: Bool?
  /// The bytes before the position are those of the marker; nil when that isn't known.
  var markerMatches: Bool?
  /// Device and inode are the stream's (after a boot: the inode).
  var sameInode = false
  /// It stands at the stream's path.
  var samePath = false
  /// Its name is the stream's with what rotation appends (`.1`, `-20260901`, `.gz`).
  var isRotationOfPath = false
  /// The checkpoint was written in the running boot.
  var sameBoot = true
}

/// Whether a file is a stream's, and where to go on.
enum ResumeDecision: Hashable, Sendable {
  /// The file holds the stream: read on at the checkpoint.
  case goOn
  /// It is the stream's file, but another content stands in it (truncated, overwritten, an inode given again): what is in it now is a new
  /// stream from 0.
  case startOver
  /// A power cut may have taken the file's end back: go on at the newest earlier checkpoint whose marker matches, else from 0.
  case searchEarlier
  /// The file has nothing to do with the stream.
  case notThisFile

  /// The decision for one file and one stream.
  ///
  /// The content decides; the inode alone never does, since inodes are given again. A head shorter than 1 KiB may be a mere title line that
  /// many files share, so it counts only beside another sign that it is the same file.
  static func decide(_ facts: FileFacts, position: UInt64, headLength: Int) -> ResumeDecision {
    let isItsPlace = facts.sameInode || facts.samePath
    let isMovedWithinBoot = facts.sameInode && (facts.samePath || facts.isRotationOfPath)
    // It was empty when it was seen last, so only its place can tell.
    if headLength == 0 { return isMovedWithinBoot || (facts.samePath && !facts.sameBoot) ? .goOn : .notThisFile }
    switch facts.head {
    case .different:
      if !facts.sameBoot && facts.sameInode && facts.samePath { return .searchEarlier }
      return facts.sameInode ? .startOver : .notThisFile
    case .same where facts.isLongEnough != false && facts.markerMatches != false:
      let hasFullHead = headLength == StreamIdentity.maximumHeadLength
      let isKnown = facts.sameInode || hasFullHead || facts.isRotationOfPath || (facts.samePath && !facts.sameBoot)
      return isKnown ? .goOn : .notThisFile
    case .same, .tooShort:
      if facts.sameBoot { return facts.sameInode ? .startOver : .notThisFile }
      return isItsPlace ? .searchEarlier : .notThisFile
    }
  }
}

/// What a file that just appeared is, seen against a stream whose own file is still there.
enum CopyDecision: Hashable, Sendable {
  /// A copy of the stream's file (copytruncate, compression): not read for now; the stream goes on in it when its own file is gone.
  case copy
  /// It may become one: look again when it has grown.
  case undecided
  /// A file of its own.
  case ownFile

  /// The decision; `facts` compare the new file with the stream.
  ///
  /// - Parameter end: for a file that ends before the stream's position, how its last bytes compare with those at the same place of the
  ///   stream's own file; nil when they can't be compared (the own file was truncated since, or the new one is empty).
  static func decide(_ facts: FileFacts, headLength: Int, end: EndComparison? = nil) -> CopyDecision {
    guard headLength == StreamIdentity.maximumHeadLength || (headLength > 0 && facts.isRotationOfPath) else { return .ownFile }
    if facts.isLongEnough == false, let end, facts.head == .same || facts.isRotationOfPath {
      // What was read before the copy was made, or while it is being made, is more than the copy has.
      return end == .same ? .copy : .ownFile
    }
    switch facts.head {
    case .different: return .ownFile
    case .tooShort: return facts.isRotationOfPath ? .undecided : .ownFile
    case .same:
      if facts.isLongEnough == false { return .undecided }
      return facts.markerMatches == false ? .ownFile : .copy
    }
  }

  /// How a shorter file's end compares with the stream's own file.
  enum EndComparison: Hashable, Sendable {
    case same, different
  }
}
