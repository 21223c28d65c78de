import SystemPackage
import Testing

@testable import FileTailSource

/// The parts that decide, by tables.
@Suite struct DecisionTests {
  static let resume: [(facts: FileFacts, position: UInt64, hasFullHead: Bool, decision: ResumeDecision)] = [
    // The ordinary restart.
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true, sameInode: true, samePath: true), 5000, true, .goOn),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true, sameInode: true), 50, false, .goOn),
    // Another inode: the content must speak for itself.
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true), 5000, true, .goOn),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true), 50, false, .notThisFile),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true, isRotationOfPath: true), 50, false, .goOn),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true, samePath: true), 50, false, .notThisFile),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true, samePath: true, sameBoot: false), 50, false, .goOn),
    // Compressed: length and marker are looked at when it is inflated.
    (FileFacts(head: .same), 5000, true, .goOn),
    (FileFacts(head: .same, isRotationOfPath: true), 50, false, .goOn),
    // Truncated, rewritten, an inode given again.
    (FileFacts(head: .same, isLongEnough: false, sameInode: true, samePath: true), 5000, true, .startOver),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: false, sameInode: true, samePath: true), 5000, true, .startOver),
    (FileFacts(head: .tooShort, isLongEnough: false, sameInode: true, samePath: true), 5000, true, .startOver),
    (FileFacts(head: .different, isLongEnough: true, sameInode: true), 5000, true, .startOver),
    (FileFacts(head: .different, isLongEnough: true, samePath: true), 5000, true, .notThisFile),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: false), 5000, true, .notThisFile),
    (FileFacts(head: .tooShort, isLongEnough: false), 5000, true, .notThisFile),
    // After a reboot the end may have been taken back.
    (FileFacts(head: .same, isLongEnough: false, sameInode: true, samePath: true, sameBoot: false), 5000, true, .searchEarlier),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: false, samePath: true, sameBoot: false), 5000, true, .searchEarlier),
    (FileFacts(head: .tooShort, isLongEnough: false, samePath: true, sameBoot: false), 5000, true, .searchEarlier),
    (FileFacts(head: .different, isLongEnough: true, sameInode: true, samePath: true, sameBoot: false), 50, false, .searchEarlier),
    (FileFacts(head: .different, isLongEnough: true, samePath: true, sameBoot: false), 5000, true, .notThisFile),
    // Nothing was delivered yet, but its head was seen.
    (FileFacts(head: .same, isLongEnough: true, sameInode: true), 0, false, .goOn),
    (FileFacts(head: .same, isLongEnough: true), 0, true, .goOn),
    (FileFacts(head: .same, isLongEnough: true, samePath: true), 0, false, .notThisFile),
    (FileFacts(head: .different, isLongEnough: true, sameInode: true), 0, false, .startOver),
  ]

  @Test(arguments: resume.indices) func `whether a file is a stream's follows from content first`(_ index: Int) {
    let row = Self.resume[index]
    let headLength = row.hasFullHead ? 1024 : 50
    #expect(ResumeDecision.decide(row.facts, position: row.position, headLength: headLength) == row.decision, "\(row.facts)")
  }

  static let empty: [(facts: FileFacts, decision: ResumeDecision)] = [
    (FileFacts(head: .same, sameInode: true, samePath: true), .goOn),
    (FileFacts(head: .same, sameInode: true, isRotationOfPath: true), .goOn),
    (FileFacts(head: .same, sameInode: true), .notThisFile), (FileFacts(head: .same, samePath: true, sameBoot: false), .goOn),
    (FileFacts(head: .same, samePath: true), .notThisFile), (FileFacts(head: .same, isRotationOfPath: true), .notThisFile),
  ]

  @Test(arguments: empty.indices) func `a file that was empty is known by its place alone`(_ index: Int) {
    let row = Self.empty[index]
    #expect(ResumeDecision.decide(row.facts, position: 0, headLength: 0) == row.decision, "\(row.facts)")
  }

  static let shortCopies: [(facts: FileFacts, end: CopyDecision.EndComparison?, decision: CopyDecision)] = [
    (FileFacts(head: .same, isLongEnough: false), .same, .copy), (FileFacts(head: .same, isLongEnough: false), .different, .ownFile),
    (FileFacts(head: .same, isLongEnough: false), nil, .undecided), (FileFacts(head: .tooShort, isLongEnough: false), .same, .ownFile),
    (FileFacts(head: .tooShort, isLongEnough: false, isRotationOfPath: true), .same, .copy),
    (FileFacts(head: .tooShort, isLongEnough: false, isRotationOfPath: true), .different, .ownFile),
    (FileFacts(head: .different, isLongEnough: false), nil, .ownFile),
  ]

  @Test(arguments: shortCopies.indices) func `a file shorter than what was read is a copy when it ends as the original did there`(
    _ index: Int
  ) {
    let row = Self.shortCopies[index]
    #expect(CopyDecision.decide(row.facts, headLength: 1024, end: row.end) == row.decision, "\(row.facts)")
  }

  static let copies: [(facts: FileFacts, headLength: Int, decision: CopyDecision)] = [
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true), 1024, .copy), (FileFacts(head: .same), 1024, .copy),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: false), 1024, .ownFile),
    (FileFacts(head: .same, isLongEnough: true), 1024, .copy),
    (FileFacts(head: .same, isLongEnough: false), 1024, .undecided), (FileFacts(head: .different, isLongEnough: true), 1024, .ownFile),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true), 50, .ownFile),
    (FileFacts(head: .same, isLongEnough: true, markerMatches: true, isRotationOfPath: true), 50, .copy),
    (FileFacts(head: .tooShort, isLongEnough: false, isRotationOfPath: true), 50, .undecided),
    (FileFacts(head: .tooShort, isLongEnough: false), 1024, .ownFile),
    (FileFacts(head: .same, isLongEnough: true, isRotationOfPath: true), 0, .ownFile),
  ]

  @Test(arguments: copies.indices) func `whether a new file is a copy follows from a whole head or a rotation's name`(_ index: Int) {
    let row = Self.copies[index]
    #expect(CopyDecision.decide(row.facts, headLength: row.headLength) == row.decision, "\(row.facts)")
  }

  static let rotations: [(name: String, original: String, isRotation: Bool)] = [
    ("app.log.1", "app.log", true), ("app.log.1.gz", "app.log", true), ("app.log.gz", "app.log", true),
    ("app.log-20260901", "app.log", true),
    ("app.log-20260901-1788.gz", "app.log", true), ("app-20260901.log", "app.log", true), ("app.2.log.gz", "app.log", true),
    ("app.log.2.gz", "app.log.1", true),
    ("app.log.1.gz", "app.log.1", true), ("app.log.2", "app.log.1", false), ("worker-2.log", "worker-1.log", false),
    ("app.log", "app.log", false),
    ("app2.log", "app.log", false), ("other.log", "app.log", false), ("app.log", "app.log.1", false), ("app.login", "app.log", false),
    ("1", "app", false),
    ("app.2026.09.01", "app", true),
  ]

  @Test(arguments: rotations.indices) func `a rotation's name is told from a neighbour's`(_ index: Int) {
    let row = Self.rotations[index]
    #expect(RotationName.isRotation(Array(row.name.utf8), of: Array(row.original.utf8)) == row.isRotation, "\(row.name) of \(row.original)")
  }

  typealias State = LastLineRule.State
  static let lastLines: [(rule: LastLineRule, state: State, now: Int, release: LastLineRule.Release, deadline: Int?)] = [
    (LastLineRule(), State(lastGrowth: .seconds(1)), 1000, .nothing, nil),
    (LastLineRule(), State(lastGrowth: .seconds(1), isDeleted: true), 1, .everything, nil),
    (LastLineRule(), State(lastGrowth: .seconds(1), isEnded: true), 1, .everything, nil),
    (LastLineRule(idleFlush: .seconds(3)), State(lastGrowth: .seconds(10)), 12, .nothing, 13),
    (LastLineRule(idleFlush: .seconds(3)), State(lastGrowth: .seconds(10)), 13, .everything, nil),
    (LastLineRule(), State(lastGrowth: .seconds(10), replacedAt: .seconds(20)), 24, .nothing, 25),
    (LastLineRule(), State(lastGrowth: .seconds(10), replacedAt: .seconds(20)), 25, .everything, nil),
    (LastLineRule(), State(lastGrowth: .seconds(24), replacedAt: .seconds(20)), 25, .everything, nil),
    (LastLineRule(), State(lastGrowth: .seconds(40), replacedAt: .seconds(20)), 41, .nothing, 45),
    (LastLineRule(multilineTimeout: .seconds(1)), State(lastGrowth: .seconds(10)), 10, .nothing, 11),
    (LastLineRule(multilineTimeout: .seconds(1)), State(lastGrowth: .seconds(10)), 11, .lines, nil),
    (LastLineRule(idleFlush: .seconds(3), multilineTimeout: .seconds(1)), State(lastGrowth: .seconds(10)), 11, .lines, 13),
    (LastLineRule(idleFlush: .seconds(3), multilineTimeout: .seconds(1)), State(lastGrowth: .seconds(10)), 13, .everything, nil),
  ]

  @Test(arguments: lastLines.indices) func `an unended last line is released by the rule`(_ index: Int) {
    let row = Self.lastLines[index]
    #expect(row.rule.release(row.state, now: .seconds(row.now)) == row.release)
    #expect(row.rule.deadline(row.state, now: .seconds(row.now)) == row.deadline.map { .seconds($0) })
  }

  @Test func `identities and places come back from their bytes, and others are refused`() {
    var identity = StreamIdentity(device: 7, inode: .max, path: FilePath(nameBytes: Array("/var/log/\u{e4}".utf8) + [0xFF]))
    identity.headHash = ContentHash([1, 2, 3])
    identity.headLength = 1024
    #expect(StreamIdentity(decoding: identity.encoded) == identity)
    var place = StreamPlace()
    (place.position, place.markerHash, place.markerLength, place.isUnended, place.isReplaced) = (
      9_000_000_000, ContentHash([4]), 1024, true, true
    )
    (place.boot, place.sequence, place.missingSince) = (BootID(high: 1, low: 2), 77, 1_788_264_000)
    place.predecessor = 12
    #expect(StreamPlace(decoding: place.encoded) == place)
    #expect(place.encoded.count == 56)
    for cut in 0..<56 { #expect(StreamPlace(decoding: Array(place.encoded.prefix(cut))) == nil) }
    for cut in 0..<27 { #expect(StreamIdentity(decoding: Array(identity.encoded.prefix(cut))) == nil) }
    #expect(StreamPlace(decoding: [9] + place.encoded.dropFirst()) == nil)
    #expect(StreamIdentity(decoding: StreamIdentity.source) == nil)
  }

  @Test func `the content hash never changes, for its values stand in checkpoints`() {
    #expect(ContentHash([]).value == 9_897_606_054_316_900_425)
    #expect(ContentHash(Array("The quick brown fox".utf8)).value == 18_262_471_359_121_273_204)
    #expect(ContentHash([0]) != ContentHash([0, 0]))
  }
}
