internal import SegmentQueue
internal import Synchronization

/// Makes a ``PipelineStatus`` of the parts' own, with the rates that only looking twice gives.
final class StatusBoard: Sendable {
  private struct Meters: Sendable {
    var records = RateMeter()
    var bytes = RateMeter()
  }

  private struct ConsumerMeters: Sendable {
    var lag = RateMeter()
    /// What is behind its cursor, since the queue's creation.
    var records = RateMeter()
    var bytes = RateMeter()
  }

  private struct State: Sendable {
    var inflow = Meters()
    var sources: [Meters]
    var sinks: [Meters]
    var consumers: [String: ConsumerMeters] = [:]
  }

  private let queue: SegmentQueue
  private let sources: [Watched<SourceStatus>]
  private let sinks: [Watched<SinkStatus>]
  private let deadLetters: DeadLetterOffice
  private let state: Mutex<State>

  init(_ queue: SegmentQueue, sources: [Watched<SourceStatus>], sinks: [Watched<SinkStatus>], deadLetters: DeadLetterOffice) {
    self.queue = queue
    self.sources = sources
    self.sinks = sinks
    self.deadLetters = deadLetters
    state = Mutex(State(sources: sources.map { _ in Meters() }, sinks: sinks.map { _ in Meters() }))
  }

  /// Takes all counters and tells the status of this moment. Cheap enough for twice a second.
  func look(at now: Instant) -> PipelineStatus {
    let queueStatus = queue.status()
    var sources = sources.map(\.value)
    var sinks = sinks.map(\.value)
    let (forecast, consumers, inflow) = state.withLock { state -> (QueueForecast, [ConsumerForecast], Meters) in
      state.inflow.records.sample(Double(queueStatus.totalRecords), at: now)
      state.inflow.bytes.sample(Double(queueStatus.totalBytes), at: now)
      for index in sources.indices {
        state.sources[index].records.sample(Double(sources[index].records), at: now)
        state.sources[index].bytes.sample(Double(sources[index].bytes), at: now)
        sources[index].recordsPerSecond = state.sources[index].records.perSecond
        sources[index].bytesPerSecond = state.sources[index].bytes.perSecond
      }
      for index in sinks.indices {
        state.sinks[index].records.sample(Double(sinks[index].deliveredRecords), at: now)
        state.sinks[index].bytes.sample(Double(sinks[index].deliveredBytes), at: now)
        sinks[index].recordsPerSecond = state.sinks[index].records.perSecond
        sinks[index].bytesPerSecond = state.sinks[index].bytes.perSecond
      }
      let names = Set(queueStatus.consumers.map(\.name))
      state.consumers = state.consumers.filter { names.contains($0.key) }
      let readers = queueStatus.consumers.map { consumer in
        var meters = state.consumers[consumer.name] ?? ConsumerMeters()
        meters.lag.sample(Double(consumer.lagBytes), at: now)
        meters.records.sample(Double(queueStatus.totalRecords) - Double(consumer.lagRecords), at: now)
        meters.bytes.sample(Double(queueStatus.totalBytes) - Double(consumer.lagBytes), at: now)
        state.consumers[consumer.name] = meters
        return QueueForecast.Reader(
          name: consumer.name, hold: consumer.hold, kind: consumer.kind, silence: consumer.silence,
          pinnedBytes: Double(consumer.pinnedBytes),
          lagBytes: Double(consumer.lagBytes), lagGrowth: meters.lag.perSecond)
      }
      let forecast = QueueForecast(
        options: queue.options, storedBytes: Double(queueStatus.storedBytes), diskRoom: queueStatus.diskRoom.map { Double($0) },
        inflow: state.inflow.bytes.perSecond, readers: readers,
        isFull: queueStatus.isFull, fullBecauseOf: queueStatus.fullBecauseOf)
      return (
        forecast,
        readers.map { reader in
          let loss = forecast.untilLoss(reader)
          let meters = state.consumers[reader.name]
          return ConsumerForecast(
            name: reader.name, recordsPerSecond: Self.rate(meters?.records), bytesPerSecond: Self.rate(meters?.bytes),
            lagBytesPerSecond: reader.lagGrowth, timeUntilLoss: loss?.time, lossCause: loss?.cause)
        }, state.inflow
      )
    }
    let full = forecast.untilFull
    return PipelineStatus(
      queue: queueStatus, sources: sources, sinks: sinks, forecasts: consumers, recordsPerSecond: Self.rate(inflow.records),
      bytesPerSecond: Self.rate(inflow.bytes), timeUntilFull: full?.time, fillsBecauseOf: full?.because, deadLetters: deadLetters.status)
  }

  /// What a meter tells of a counter that only a seek sets back.
  private static func rate(_ meter: RateMeter?) -> Double? {
    guard let meter, meter.isMeasured else { return nil }
    return max(0, meter.perSecond)
  }
}
