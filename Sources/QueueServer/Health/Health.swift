internal import HTTPTypes
internal import Hummingbird
internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// One thing that must be so for the process to do its work.
public struct HealthCheck: Sendable {
  /// What is looked at: `queue.app`, `source.app`.
  public var name: String
  /// It is as it should be.
  public var isGood: Bool
  /// What isn't, in one sentence without facts of this machine; empty when all is well.
  public var detail: String

  /// A check's result.
  public init(_ name: String, isGood: Bool, detail: String = "") {
    self.name = name
    self.isGood = isGood
    self.detail = detail
  }

  init(_ name: String, _ trouble: String?) { self.init(name, isGood: trouble == nil, detail: trouble ?? "") }
}

/// Whether a queue gets on: what was admitted becomes durable, and there is room. Told by comparing looks.
final class QueueProgress: Sendable {
  /// As long as it may take to make something durable before that is trouble: a disk that is busy, or a sync that takes its time.
  static let patience = Duration.seconds(10)

  private let last = Mutex<(end: RecordBlocks.Offset, since: ContinuousClock.Instant)?>(nil)

  /// What is wrong, if anything is.
  func look(durableEnd: RecordBlocks.Offset, inFlightBytes: Int, isFull: Bool, because: String?, now: ContinuousClock.Instant = .now)
    -> String?
  {
    if isFull {
      return "it is full\(because.map { ": consumer '\($0)' holds what it has not read" } ?? ""); sources wait or drop"
    }
    return last.withLock { last in
      guard inFlightBytes > 0, let known = last, known.end == durableEnd else {
        last = (durableEnd, now)
        return nil
      }
      return now - known.since < Self.patience ? nil : "records were admitted and don't become durable; the log says what the disk answers"
    }
  }
}

/// `/healthz` and `/readyz`.
enum Health {
  private struct Report: Encodable {
    struct Check: Encodable {
      var name: String
      var ok: Bool
      var detail: String?
    }
    var status: String
    var checks: [Check]

    init(_ checks: [HealthCheck]) {
      status = checks.allSatisfy(\.isGood) ? "ok" : "failing"
      self.checks = checks.map { Check(name: $0.name, ok: $0.isGood, detail: $0.isGood ? nil : $0.detail) }
    }
  }

  /// The process answers, and its file threads do: whoever supervises it need not restart it.
  static func live(_ call: Call) async throws -> Response {
    let lives = try await call.server.pool.run { true }
    return answer([HealthCheck("server", isGood: lives)])
  }

  /// It does its work: records get to the disk, sources run, sinks get on. Who balances load, or alarms, asks this.
  static func ready(_ call: Call) async throws -> Response {
    let server = call.server
    let checks = try await server.pool.run {
      server.shelf.main.map { served in
        let status = served.queue.status()
        return HealthCheck(
          "queue.\(served.name)",
          served.progress.look(
            durableEnd: status.durableEnd, inFlightBytes: status.inFlightBytes, isFull: status.isFull, because: status.fullBecauseOf))
      } + server.checks()
    }
    let starting = HealthCheck("start", isGood: server.isReady, detail: "queues are being opened")
    return answer([starting] + checks)
  }

  private static func answer(_ checks: [HealthCheck]) -> Response {
    JSONAnswer.response(Report(checks), status: checks.allSatisfy(\.isGood) ? .ok : .serviceUnavailable)
  }
}
