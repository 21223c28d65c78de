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
  /// Bytes of lines a second that enter.
  var inflow: Double
  var readers: [Reader]
  var isFull = false
  var fullBecauseOf: String?

  private var maxSize: Double { Double(options.maxSize) }

  /// When sources begin to wait, and because of whom.
  var untilFull: (time: Duration, because: String?)? {
    guard options.overflow == .wait else { return nil }
    if isFull { return (.zero, fullBecauseOf) }
    var nearest: (time: Duration, because: String?)?
    for reader in readers where !isExpired(reader) && limit(of: reader) == nil && reader.pinnedGrowth > 0 {
      let time = Self.time(from: reader.pinnedBytes, to: maxSize, at: reader.pinnedGrowth)
      if let time, time < nearest?.time ?? time + .seconds(1) { nearest = (time, reader.name) }
    }
    return nearest
  }

  /// When `reader` begins to lose records.
  func untilLoss(_ reader: Reader) -> Duration? {
    var times: [Duration] = []
    if let maxAge = options.maxAge, let age = age(of: reader) { times.append(max(.zero, maxAge - age)) }
    if let time = untilLossOfHold(reader), let space = untilSpaceIsNeeded { times.append(max(time, space)) }
    return times.min()
  }

  /// When its records are no longer held; they go when space is needed too.
  private func untilLossOfHold(_ reader: Reader) -> Duration? {
    guard reader.lagBytes > 0 else { return nil }
    var times: [Duration] = []
    if reader.kind == .pull { times.append(max(.zero, options.consumerExpiry - reader.silence)) }
    if case .age(let bound) = reader.hold, let age = age(of: reader) { times.append(max(.zero, bound - age)) }
    if let limit = limit(of: reader) ?? (options.overflow == .dropOldest ? maxSize : nil),
      let time = Self.time(from: reader.pinnedBytes, to: limit, at: reader.pinnedGrowth)
    {
      times.append(time)
    }
    return times.min()
  }

  /// When the queue is at its bound: from then on something must go for whatever comes.
  private var untilSpaceIsNeeded: Duration? {
    // Retention goes by whole segments, so a queue at its bound swings by one.
    let bound = maxSize - min(Double(64 << 20), maxSize / 8)
    let ratio = readers.filter { $0.lagBytes > 0 }.max { $0.lagBytes < $1.lagBytes }.map { $0.pinnedBytes / $0.lagBytes }
    return Self.time(from: storedBytes, to: bound, at: inflow * (ratio ?? 0))
  }

  /// A silent consumer's records are held no more.
  private func isExpired(_ reader: Reader) -> Bool { reader.silence > options.consumerExpiry }

  /// Stored bytes that a reader may pin; nil for all, or for a hold by age.
  private func limit(of reader: Reader) -> Double? {
    switch reader.hold {
    case .all, .age: nil
    case .bytes(let bytes): Double(bytes)
    case .share(let percent): maxSize * Double(percent) / 100
    }
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
