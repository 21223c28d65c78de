internal import QueueClient

/// A server's status in lines, as `sluice top` shows it: for each queue one of what enters and how full it is, then one a source, one a
/// consumer, and what they say of their failures.
enum TopText {
  static func lines(_ status: RemoteStatus) -> [String] {
    let names = Set(status.queues.map(\.queue.name))
    // Dead letters are told with the queue whose they are.
    let shown = status.queues.filter { $0.deadLettersOf.map { !names.contains($0) } ?? true }
    let width = min(
      32,
      shown.flatMap { [$0.queue.name] + ($0.sources ?? []).map { "  < \($0.name)" } + $0.queue.consumers.map { "  > \($0.name)" } }
        .reduce(0) { max($0, $1.count) })
    return shown.isEmpty
      ? ["no queue that may be read"] : Array(shown.map { lines($0, width) }.joined(separator: [""]))
  }

  private static func lines(_ one: RemoteQueueStatus, _ width: Int) -> [String] {
    let sinks = Dictionary((one.sinks ?? []).map { ($0.name, $0) }) { first, _ in first }
    return [head(one, width)] + (one.sources ?? []).flatMap { source($0, isFull: one.queue.isFull, width) }
      + one.queue.consumers.flatMap { consumer($0, sinks[$0.name], width) }
  }

  private static func head(_ one: RemoteQueueStatus, _ width: Int) -> String {
    let queue = one.queue
    var line = "\(padded(queue.name, width))  in  \(rates(one.bytesPerSecond, one.recordsPerSecond))"
    line += "  stored \(HumanText.bytes(queue.storedBytes))"
    // A server without a bound says one that no disk has.
    if let bound = queue.maxSize, bound < 1 << 60 { line += " of \(HumanText.bytes(bound))" }
    line += " in \(HumanText.count(queue.segments, "segment"))"
    if queue.isFull {
      line += "  FULL" + (queue.fullBecauseOf.map { " because of \(escaped($0))" } ?? ": free disk space")
    } else if let seconds = queue.secondsUntilFull {
      line += "  full in \(HumanText.duration(seconds: seconds))" + (one.fillsBecauseOf.map { " because of \(escaped($0))" } ?? "")
    }
    let lost = one.losses.reduce(0) { $0 + $1.records }
    if lost > 0 { line += "  lost \(HumanText.count(lost)) (\(one.losses.map { escaped($0.reason) }.joined(separator: ", ")))" }
    if one.deadLetters > 0 { line += "  dead letters \(HumanText.count(one.deadLetters))" }
    return line
  }

  private static func source(_ source: RemoteSource, isFull: Bool, _ width: Int) -> [String] {
    var line = "\(padded("  < " + source.name, width))  in  \(rates(source.bytesPerSecond, source.recordsPerSecond))"
    line += "  \(escaped(source.type))"
    if let files = source.files {
      let unread = files.newest.reduce(0) { $0 + ($1.size ?? $1.position) - min($1.position, $1.size ?? $1.position) }
      // What has come since a full queue made it wait it doesn't know.
      let rest = unread > 0 ? ", \(HumanText.bytes(unread)) unread" : isFull ? "" : ", all read"
      line += ", \(HumanText.count(files.count, "file"))\(rest)"
    }
    switch source.activity {
    case "backing_off": line += "  again in \(HumanText.duration(seconds: source.secondsUntilRetry ?? 0))"
    case "running": if isFull { line += "  the queue is full: it waits or drops" }
    default: line += "  \(escaped(source.activity))"
    }
    if source.lostRecords > 0 { line += "  lost \(HumanText.count(source.lostRecords))" }
    let fails = source.activity == "backing_off" || source.activity == "failed"
    return [line] + (fails ? note(source.lastError) : [])
  }

  private static func consumer(_ consumer: RemoteConsumer, _ sink: RemoteSink?, _ width: Int) -> [String] {
    var line = "\(padded("  > " + consumer.name, width))  out \(rates(consumer.bytesPerSecond, consumer.recordsPerSecond))"
    line += "  lag \(HumanText.count(consumer.lagRecords))"
    if consumer.lagRecords > 0 { line += " (\(HumanText.bytes(consumer.lagBytes)))" }
    if consumer.lostRecords > 0 { line += "  lost \(HumanText.count(consumer.lostRecords))" }
    if let seconds = consumer.secondsUntilLoss {
      line += seconds == 0 ? "  LOSES RECORDS" : "  loses records in \(HumanText.duration(seconds: seconds))"
      if let cause = consumer.lossCause { line += " by \(escaped(cause))" }
    }
    guard let sink else {
      if consumer.kind == "pull", let silent = consumer.silentSeconds, silent >= 1 {
        line += "  silent for \(HumanText.duration(seconds: silent.rounded()))"
      }
      if let leases = consumer.leases, leases.onLoan > 0 { line += "  \(HumanText.count(leases.onLoan)) on loan" }
      return [line] + note(consumer.failure)
    }
    switch sink.activity {
    case "backing_off": line += "  again in \(HumanText.duration(seconds: sink.secondsUntilRetry ?? 0))"
    case "outside_window": line += "  window opens in \(HumanText.duration(seconds: sink.secondsUntilOpen ?? 0))"
    case "setting_aside": line += "  waits for room among the dead letters"
    case "refused": line += "  STANDS STILL"
    case "ended": line += "  (ended)"
    default: break
    }
    let fails = ["backing_off", "setting_aside", "refused"].contains(sink.activity)
    return [line] + note(consumer.failure ?? (fails ? sink.lastError : nil))
  }

  /// What a part says of its failure, on a line of its own.
  private static func note(_ text: String?) -> [String] { text.map { ["      ! " + escaped($0)] } ?? [] }

  /// Both rates in columns of a fixed width, so that nothing jumps.
  private static func rates(_ bytes: Double?, _ records: Double?) -> String {
    leftPadded(bytes.map { HumanText.byteRate($0) } ?? "-", 12) + "  " + leftPadded(records.map { HumanText.rate($0) } ?? "-", 14)
  }

  private static func escaped(_ text: String) -> String { Escaping.escaped(text) }

  private static func padded(_ text: String, _ width: Int) -> String {
    let text = escaped(text)
    return text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func leftPadded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
