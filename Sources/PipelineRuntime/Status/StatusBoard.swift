internal import SegmentQueue
internal import Synchronization

/// Makes a ``PipelineStatus`` of the parts' own, with the rates that only looking twice gives.
final class StatusBoard: Sendable {
  private struct Meters: Sendable {
    var records = RateMeter()
    var bytes = RateMeter()
  }

  private struct State: Sendable {
    var inflow = RateMeter()
    var sources: [Meters]
    var sinks: [Meters]
    var lags: [String: RateMeter] = [:]
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
    let forecasts = state.withLock { state -> (QueueForecast, [ConsumerForecast]) in
      state.inflow.sample(Double(queueStatus.totalBytes), at: now)
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
      state.lags = state.lags.filter { names.contains($0.key) }
      let readers = queueStatus.consumers.map { consumer in
        state.lags[consumer.name, default: RateMeter()].sample(Double(consumer.lagBytes), at: now)
        return QueueForecast.Reader(
          name: consumer.name, hold: consumer.hold, kind: consumer.kind, silence: consumer.silence,
          pinnedBytes: Double(consumer.pinnedBytes),
          lagBytes: Double(consumer.lagBytes), lagGrowth: state.lags[consumer.name]?.perSecond ?? 0)
      }
      let forecast = QueueForecast(
        options: queue.options, storedBytes: Double(queueStatus.storedBytes), diskRoom: queueStatus.diskRoom.map { Double($0) },
        inflow: state.inflow.perSecond, readers: readers,
        isFull: queueStatus.isFull, fullBecauseOf: queueStatus.fullBecauseOf)
      return (
        forecast,
        readers.map { reader in
          let loss = forecast.untilLoss(reader)
          return ConsumerForecast(
            name: reader.name, lagBytesPerSecond: reader.lagGrowth, timeUntilLoss: loss?.time, lossCause: loss?.cause)
        }
      )
    }
    let full = forecasts.0.untilFull
    return PipelineStatus(
      queue: queueStatus, sources: sources, sinks: sinks, forecasts: forecasts.1, timeUntilFull: full?.time, fillsBecauseOf: full?.because,
      deadLetters: deadLetters.status)
  }
}
