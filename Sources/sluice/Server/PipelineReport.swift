internal import PipelineRuntime
internal import QueueServer
internal import SegmentQueue

/// What the HTTP side tells of the pipelines beside their queues.
enum PipelineReport {
  static func forecasts(_ status: PipelineStatus) -> QueueForecasts {
    QueueForecasts(
      secondsUntilFull: status.timeUntilFull?.seconds,
      secondsUntilLoss: Dictionary(
        uniqueKeysWithValues: status.forecasts.compactMap { forecast in forecast.timeUntilLoss.map { (forecast.name, $0.seconds) } }))
  }

  /// What goes on in a pipeline, or around a queue that none runs (no parts).
  static func activity(_ status: PipelineStatus, _ parts: PipelineParts?, now: ContinuousClock.Instant) -> QueueActivity {
    var activity = QueueActivity()
    activity.forecasts = forecasts(status)
    activity.fillsBecauseOf = status.fillsBecauseOf
    activity.recordsPerSecond = status.recordsPerSecond
    activity.bytesPerSecond = status.bytesPerSecond
    for forecast in status.forecasts {
      var consumer = QueueActivity.Consumer()
      consumer.recordsPerSecond = forecast.recordsPerSecond
      consumer.bytesPerSecond = forecast.bytesPerSecond
      consumer.lagBytesPerSecond = forecast.lagBytesPerSecond
      consumer.lossCause = forecast.lossCause?.rawValue
      activity.consumers[forecast.name] = consumer
    }
    guard let parts else { return activity }
    activity.sources = status.sources.map { SourceFacts($0, parts, now: now) }
    activity.sinks = status.sinks.map { SinkFacts($0, parts, now: now) }
    return activity
  }

  /// A check for each source and sink.
  static func checks(_ runners: [PipelineRunner]) -> [HealthCheck] {
    runners.map { $0.status() }.flatMap { status in
      status.sources.map { source in
        switch source.activity {
        case .running, .ended: HealthCheck("source.\(status.queue.name).\(source.name)", isGood: true)
        case .backingOff:
          HealthCheck(
            "source.\(status.queue.name).\(source.name)", isGood: false, detail: "it failed and is started again; the log says why")
        case .failed: HealthCheck("source.\(status.queue.name).\(source.name)", isGood: false, detail: "it can't work; the log says why")
        }
      }
        + status.sinks.map { sink in
          switch sink.activity {
          case .refused:
            HealthCheck("sink.\(status.queue.name).\(sink.name)", isGood: false, detail: "its consumer can't be opened; the log says why")
          case .settingAside:
            HealthCheck("sink.\(status.queue.name).\(sink.name)", isGood: false, detail: "it waits for room in the dead-letter queue")
          // A destination that is down is what the queue is there for: lag and time until data loss tell how long that may go on.
          case .starting, .idle, .pacing, .outsideWindow, .delivering, .backingOff, .ended:
            HealthCheck("sink.\(status.queue.name).\(sink.name)", isGood: true)
          }
        }
    }
  }

  private typealias Sample = MetricsText.Sample

  /// The families of sources and sinks.
  static func write(_ runners: [PipelineRunner], to text: inout MetricsText) {
    let pipelines = runners.map { $0.status() }
    func sources(_ name: String, _ help: String, _ value: KeyPath<SourceStatus, UInt64>) {
      text.add(
        name, .counter, help,
        pipelines.flatMap { status in
          status.sources.map { Sample($0[keyPath: value], ("queue", status.queue.name), ("source", $0.name)) }
        })
    }
    sources("sluice_source_records_total", "Records handed to the queue.", \.records)
    sources("sluice_source_bytes_total", "Bytes of lines handed to the queue.", \.bytes)
    sources("sluice_source_lost_records_total", "Records that were lost before they reached the queue.", \.lostRecords)
    sources("sluice_source_restarts_total", "Starts after a failure.", \.restarts)
    func sinks(_ name: String, _ help: String, _ value: KeyPath<SinkStatus, UInt64>) {
      text.add(
        name, .counter, help,
        pipelines.flatMap { status in status.sinks.map { Sample($0[keyPath: value], ("queue", status.queue.name), ("sink", $0.name)) } })
    }
    sinks("sluice_sink_delivered_records_total", "Records that the destination has taken.", \.deliveredRecords)
    sinks("sluice_sink_delivered_bytes_total", "Bytes of lines that the destination has taken.", \.deliveredBytes)
    sinks("sluice_sink_gap_records_total", "Records that were lost before the sink could have them.", \.gapRecords)
    sinks("sluice_sink_retries_total", "Failed attempts.", \.retries)
    sinks("sluice_sink_commits_total", "Commits on the disk.", \.commits)
    sinks("sluice_sink_dead_letters_total", "Records set aside.", \.deadLetters)
    sinks("sluice_sink_dropped_records_total", "Records dropped by on_reject: drop.", \.dropped)
  }
}
