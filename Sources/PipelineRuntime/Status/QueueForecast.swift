internal import RecordBlocks
internal import SegmentQueue

/// What the present rates lead to: when the queue is full and because of whom, and when a consumer begins to lose records. Pure: facts
/// in, times out.
///
/// The rules are retention's own. For want of space only: what nobody holds goes first, then what is beyond a consumer's hold; then
/// sources wait, or with
/// `drop_oldest` the oldest goes. `max_age` needs no want of space. Stored bytes are reckoned from bytes of lines by what each consumer's
/// lag takes on the disk.
struct QueueForecast {
  /// A consumer as the forecast sees it.
  struct Reader {
    var name: String
    var hold = Hold.all
    var kind = ConsumerKind.sink
    var silence = Duration.zero
    /// Stored bytes from its place to the end.
    var pinnedBytes: Double
    /// The same in bytes of lines.
    var lagBytes: Double
    /// Bytes of lines a second; negative while it catches up.
    var lagGrowth: Double

    var pinnedGrowth: Double { lagBytes > 0 ? lagGrowth * pinnedBytes / lagBytes : 0 }
  }

  var options: QueueOptions
  var storedBytes: Double
  /// Bytes that the disk has for the queue until only `min_free_disk` is left; nil when it doesn't tell.
  var diskRoom: Double?
  /// Bytes of lines a second that enter.
  var inflow: Double
  var readers: [Reader]
  var isFull = false
  var fullBecauseOf: String?

  /// See ``untilLoss(_:)``.
  struct Loss: Hashable {
    var time: Duration
    var cause: ConsumerForecast.LossCause
  }

  private var maxSize: Double { Double(options.maxSize) }

  /// All that the queue can come to: its own bound, or what the disk has room for beside what it has already. What others write there is
  /// not foreseen.
  private var capacity: Double { min(maxSize, diskRoom.map { storedBytes + max(0, $0) } ?? maxSize) }

  /// When sources begin to wait, and because of whom.
  var untilFull: (time: Duration, because: String?)? {
    guard options.overflow == .wait else { return nil }
    if isFull { return (.zero, fullBecauseOf) }
    var nearest: (time: Duration, because: String?)?
    for reader in readers where mayFillTheQueue(reader) && reader.pinnedGrowth > 0 {
      guard let time = Self.time(from: reader.pinnedBytes, to: capacity, at: reader.pinnedGrowth) else { continue }
      // By then it may have been silent for so long that it holds nothing: others lose nothing by it, it does.
      if let expiry = untilExpiry(reader), expiry < time { continue }
      if time < nearest?.time ?? time + .seconds(1) { nearest = (time, reader.name) }
    }
    return nearest
  }

  /// Whether what it holds can come to be all of the queue.
  private func mayFillTheQueue(_ reader: Reader) -> Bool {
    if isExpired(reader) || limit(of: reader) != nil { return false }
    guard case .age(let bound) = reader.hold, reader.lagBytes > 0 else { return true }
    // What is older than its hold goes: it never holds more than comes in within that time.
    return inflow * (reader.pinnedBytes / reader.lagBytes) * bound.inSeconds >= capacity
  }

  /// When `reader` begins to lose records, and by which rule.
  func untilLoss(_ reader: Reader) -> Loss? {
    var losses: [Loss] = []
    if let maxAge = options.maxAge, let age = age(of: reader) { losses.append(Loss(time: max(.zero, maxAge - age), cause: .maxAge)) }
    if let loss = untilLossOfHold(reader), let space = untilSpaceIsNeeded(from: reader) {
      losses.append(Loss(time: max(loss.time, space), cause: loss.cause))
    }
    return losses.min { $0.time < $1.time }
  }

  /// When its records are no longer held; they go when space is needed too.
  private func untilLossOfHold(_ reader: Reader) -> Loss? {
    guard reader.lagBytes > 0 else { return nil }
    var losses: [Loss] = []
    if let expiry = untilExpiry(reader) { losses.append(Loss(time: expiry, cause: .consumerExpiry)) }
    if case .age(let bound) = reader.hold, let age = age(of: reader) { losses.append(Loss(time: max(.zero, bound - age), cause: .hold)) }
    let bounded = limit(of: reader)
    if let limit = bounded ?? (options.overflow == .dropOldest ? capacity : nil),
      let time = Self.time(from: reader.pinnedBytes, to: limit, at: reader.pinnedGrowth)
    {
      losses.append(Loss(time: time, cause: bounded == nil ? .dropOldest : .hold))
    }
    return losses.min { $0.time < $1.time }
  }

  /// When the queue is at its bound and nothing older is left in it than what `reader` has not read: what others have read goes first.
  /// Nothing goes behind whom all is held for: then that one has to expire first.
  private func untilSpaceIsNeeded(from reader: Reader) -> Duration? {
    // Nothing has to go for what doesn't come.
    guard inflow > 0 || reader.pinnedGrowth > 0 else { return nil }
    // Retention goes by whole segments, so a queue at its bound swings by one.
    let bound = capacity - min(Double(options.segmentSize ?? 64 << 20), maxSize / 8)
    guard var until = Self.time(from: reader.pinnedBytes, to: bound, at: reader.pinnedGrowth) else { return nil }
    guard options.overflow == .wait else { return until }
    for other in readers
    where other.name != reader.name && other.hold == .all && other.pinnedBytes >= reader.pinnedBytes && !isExpired(other) {
      guard let expiry = untilExpiry(other) else { return nil }
      until = max(until, expiry)
    }
    return until
  }

  /// A silent consumer's records are held no more.
  private func isExpired(_ reader: Reader) -> Bool { reader.silence > options.consumerExpiry }

  /// When that is so, if it stays silent; a running pipeline's sink never is.
  private func untilExpiry(_ reader: Reader) -> Duration? {
    reader.kind != .sink ? max(.zero, options.consumerExpiry - reader.silence) : nil
  }

  /// Stored bytes that a reader may pin; nil for all that the queue can have, or for a hold by age.
  private func limit(of reader: Reader) -> Double? {
    let limit: Double
    switch reader.hold {
    case .all, .age: return nil
    case .bytes(let bytes): limit = Double(bytes)
    case .share(let percent): limit = maxSize * Double(percent) / 100
    }
    return limit < capacity ? limit : nil
  }

  /// How old its oldest unread record is: as long as its lag took to come in at the present rate.
  private func age(of reader: Reader) -> Duration? {
    guard reader.lagBytes > 0, inflow > 0 else { return nil }
    return .seconds(reader.lagBytes / inflow)
  }

  /// Zero when it is there, nil when it isn't going there within a year: then the rates say nothing.
  private static func time(from value: Double, to bound: Double, at perSecond: Double) -> Duration? {
    if value >= bound { return .zero }
    guard perSecond > 0 else { return nil }
    let seconds = (bound - value) / perSecond
    return seconds < 365 * 86_400 ? .seconds(seconds) : nil
  }
}
