internal import PipelineRuntime
internal import RecordBlocks
internal import SegmentQueue

/// The live status of a run on a terminal.
final class StatusScreen: Sendable {
  private let runners: [PipelineRunner]

  init(runners: [PipelineRunner]) { self.runners = runners }

  /// Draws the present status over the last one.
  func draw() {
    DiagnosticOutput.shared.show(StatusText.lines(runners.map { $0.status() }, now: .now))
  }
}

/// The status in lines: for each pipeline one of what enters and how full the queue is, then one a consumer.
enum StatusText {
  static func lines(_ pipelines: [PipelineStatus], now: ContinuousClock.Instant) -> [String] {
    let names = pipelines.flatMap { [$0.queue.name] + $0.queue.consumers.map { "  " + $0.name } }
    let width = min(32, names.reduce(0) { max($0, $1.count) })
    return pipelines.flatMap { pipeline in
      [head(pipeline, width)] + failures(pipeline) + pipeline.queue.consumers.map { consumer($0, pipeline, width, now) }
    }
  }

  private static func head(_ pipeline: PipelineStatus, _ width: Int) -> String {
    let queue = pipeline.queue
    let bytes = pipeline.sources.reduce(0) { $0 + $1.bytesPerSecond }
    let records = pipeline.sources.reduce(0) { $0 + $1.recordsPerSecond }
    var line =
      "\(padded(queue.name, width))  in  \(rates(bytes, records))  stored \(HumanText.bytes(queue.storedBytes)) of \(HumanText.bytes(queue.maxSize))"
    if queue.isFull {
      line += "  FULL" + (queue.fullBecauseOf.map { " because of \($0)" } ?? ": free disk space")
    } else if let time = pipeline.timeUntilFull {
      line += "  full in \(HumanText.duration(time))" + (pipeline.fillsBecauseOf.map { " because of \($0)" } ?? "")
    }
    let lost = queue.losses.reduce(0) { $0 + $1.records }
    if lost > 0 { line += "  lost \(HumanText.count(lost)) (\(queue.losses.map(\.reason.name).joined(separator: ", ")))" }
    let letters = pipeline.deadLetters?.consumers.filter { $0.kind == .sink }.map(\.lagRecords).max() ?? 0
    if letters > 0 { line += "  dead letters \(HumanText.count(letters))" }
    if pipeline.sources.allSatisfy({ $0.activity == .ended }) { line += "  (input ended)" }
    return line
  }

  /// Sources that don't run as they should.
  private static func failures(_ pipeline: PipelineStatus) -> [String] {
    pipeline.sources.compactMap { source in
      guard case .backingOff = source.activity else { return nil }
      return "  ! source \(source.name): \(Escaping.escaped(source.lastError ?? "failed")); tried again"
    }
  }

  private static func consumer(_ consumer: ConsumerStatus, _ pipeline: PipelineStatus, _ width: Int, _ now: ContinuousClock.Instant)
    -> String
  {
    let sink = pipeline.sinks.first { $0.name == consumer.name }
    let forecast = pipeline.forecasts.first { $0.name == consumer.name }
    var line = padded("  " + consumer.name, width) + "  "
    if let sink {
      line += "out \(rates(sink.bytesPerSecond, sink.recordsPerSecond))"
    } else {
      line += padded(consumer.kind == .sink ? "no sink in the file" : "pulled by others", 32)
    }
    line += "  lag \(HumanText.count(consumer.lagRecords))"
    if consumer.lagRecords > 0 { line += " (\(HumanText.bytes(consumer.lagBytes)))" }
    if consumer.lostRecords > 0 { line += "  lost \(HumanText.count(consumer.lostRecords))" }
    if let time = forecast?.timeUntilLoss {
      line += time == .zero ? "  LOSES RECORDS" : "  loses records in \(HumanText.duration(time))"
      if let cause = forecast?.lossCause { line += " by \(cause.rawValue)" }
    }
    if let sink { line += activity(sink, now) }
    return line
  }

  private static func activity(_ sink: SinkStatus, _ now: ContinuousClock.Instant) -> String {
    switch sink.activity {
    case .backingOff(let until):
      let wait = HumanText.duration(max(.zero, until - now))
      return "  again in \(wait): \(Escaping.escaped(sink.lastError ?? "failed"))"
    case .outsideWindow(let seconds): return "  window opens in \(HumanText.duration(seconds: Double(seconds)))"
    case .settingAside: return "  waits for room among the dead letters"
    case .refused(let why): return "  STANDS STILL: \(Escaping.escaped(why))"
    case .starting, .idle, .pacing, .delivering, .ended: return ""
    }
  }

  /// Both rates in columns of a fixed width, so that nothing jumps.
  private static func rates(_ bytes: Double, _ records: Double) -> String {
    leftPadded(HumanText.byteRate(bytes), 12) + "  " + leftPadded(HumanText.rate(records), 14)
  }

  private static func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

  private static func leftPadded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
