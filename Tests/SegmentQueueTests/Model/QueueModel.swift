import RecordBlocks
import TestSupport

/// The queue as a list: what each source gave, what the log has, where each consumer stands and what it has lost.
struct QueueModel {
  /// One offset of the log.
  enum Item: Hashable {
    case record(source: Int, Line)
    case gap(Gap.Reason, records: UInt64, bytes: UInt64)
  }

  struct Line: Hashable {
    var text: String
    var isUnended = false
    var continues = false
    var byteCount: UInt64 { UInt64(text.utf8.count) + 1 }
  }

  struct Stream: Hashable {
    var identity: [UInt8]
    var value: [UInt8]
  }

  struct Source {
    var name: String
    var canWait: Bool
    /// All lines that were given, in order; after a crash those that are left of them.
    var given: [Line] = []
    /// How many of them the log has shown. For a source that can't wait: the place after the last that was shown.
    var shown = 0
    /// Of a source that can't wait: how many were passed over, which must be told as gaps, and their bytes.
    var passedOver: (records: UInt64, bytes: UInt64) = (0, 0)
    /// The checkpoints after each batch, and how many lines there were then. The first is before the first batch.
    var states: [(lines: Int, streams: [UInt32: Stream])] = [(0, [:])]
    /// How many batches were acknowledged.
    var acknowledged = 0
    var endsUnended = false
  }

  struct Consumer {
    var kindIsSink: Bool
    var cursor: Int
    var inFlightEnd: Int?
    var seekCount: UInt64 = 0
    var state: [UInt8]?
    var holdsAll: Bool
    /// Records before it are gone, and the consumer has not passed the place yet.
    var lossEnd: Int?
    /// It has passed gaps of the log there, before they were deleted too.
    var readGapsOfItsLoss = false
    var lost: (records: UInt64, bytes: UInt64) = (0, 0)
    /// Where it reads, and the places it has read to since its last commit.
    var place: Int
    var ends: [Int] = []
    /// Losses that it read as gaps since then.
    var toldLosses: [Range<Int>] = []

    var needed: Int { max(cursor, lossEnd ?? cursor) }
  }

  var sources: [Source] = []
  var consumers: [String: Consumer] = [:]
  private(set) var log: [Item] = []
  /// When each offset was seen first, by the monotonic clock.
  private(set) var seenAt: [UInt64] = []
  private(set) var start = 0
  /// Losses that were told to the queue, and those that the log tells.
  var toldGaps: [Gap.Reason: (records: UInt64, bytes: UInt64)] = [:]
  private(set) var loggedGaps: [Gap.Reason: (records: UInt64, bytes: UInt64)] = [:]
  /// Records, bytes and losses before each offset.
  private struct Sum {
    var records: UInt64 = 0
    var bytes: UInt64 = 0
    var lost: UInt64 = 0
    var lostBytes: UInt64 = 0
  }
  /// One more than there are offsets.
  private var sums: [Sum] = [Sum()]

  var end: Int { log.count }
  var totals: (records: UInt64, bytes: UInt64, lost: UInt64) { (sums[log.count].records, sums[log.count].bytes, sums[log.count].lost) }

  /// Records and bytes in a range of the log.
  func count(_ range: Range<Int>) -> (records: UInt64, bytes: UInt64) {
    let (a, b) = (sums[range.lowerBound], sums[range.upperBound])
    return (b.records - a.records, b.bytes - a.bytes)
  }

  /// What gaps of the log tell in a range.
  func countGaps(_ range: Range<Int>) -> (records: UInt64, bytes: UInt64) {
    let (a, b) = (sums[range.lowerBound], sums[range.upperBound])
    return (b.lost - a.lost, b.lostBytes - a.lostBytes)
  }

  /// A new entry of the log. Nil when it may stand there, else what is wrong with it.
  mutating func grow(_ item: Item, now: UInt64) -> String? {
    var sum = sums[log.count]
    switch item {
    case .gap(let reason, let records, let bytes):
      var known = loggedGaps[reason] ?? (0, 0)
      known.records += records
      known.bytes += bytes
      loggedGaps[reason] = known
      sum.lost += records
      sum.lostBytes += bytes
    case .record(let index, let line):
      sum.records += 1
      sum.bytes += line.byteCount
      var place = sources[index].shown
      if !sources[index].canWait {
        // What it gave and the queue dropped is passed over.
        while place < sources[index].given.count, sources[index].given[place] != line {
          sources[index].passedOver.records += 1
          sources[index].passedOver.bytes += sources[index].given[place].byteCount
          place += 1
        }
      }
      guard place < sources[index].given.count else { return "offset \(log.count) has \(line), which \(sources[index].name) never gave" }
      guard sources[index].given[place] == line else {
        return "offset \(log.count) has \(line), and the next of \(sources[index].name) is \(sources[index].given[place])"
      }
      sources[index].shown = place + 1
    }
    log.append(item)
    seenAt.append(now)
    sums.append(sum)
    return nil
  }

  /// Everything before `newStart` is gone: who had not read it has lost it.
  mutating func delete(before newStart: Int) {
    start = newStart
    for name in consumers.keys where consumers[name]!.needed < newStart { consumers[name]!.lossEnd = newStart }
  }

  /// The process died: what the log has shown is all that is left of what was given, and losses that it doesn't tell were forgotten.
  mutating func forgetUnshown() {
    for index in sources.indices {
      sources[index].given.removeLast(sources[index].given.count - sources[index].shown)
    }
    toldGaps = loggedGaps
    for name in consumers.keys {
      consumers[name]!.place = consumers[name]!.cursor
      consumers[name]!.ends = []
      consumers[name]!.toldLosses = []
    }
  }
}
