internal import Glibc
internal import NIOHTTP1
internal import PipelineCore
internal import RecordBlocks

/// The error of one delivery: advice, and a sentence that names the place, what happened and the remedy, without secrets.
struct Complaint {
  private let delivery: Delivery
  private let endpoint: Endpoint
  private let configuration: HTTPSink.Configuration
  private let secrets: Secrets

  /// Errors about `delivery` to `endpoint`.
  init(_ delivery: Delivery, to endpoint: Endpoint, configuration: HTTPSink.Configuration, secrets: Secrets) {
    self.delivery = delivery
    self.endpoint = endpoint
    self.configuration = configuration
    self.secrets = secrets
  }

  /// The answer was not a success.
  func refused(_ answer: Answer, isCompressed: Bool) -> DeliveryError {
    let now = answer.headers.first(name: "Date").flatMap { RetryAfter.date($0, now: wallClock) } ?? wallClock
    let verdict = Verdict(
      status: answer.status, retryAfter: answer.headers.first(name: "Retry-After").flatMap { RetryAfter.wait($0, now: now) },
      location: answer.headers.first(name: "Location").map(shownLocation), isCompressed: isCompressed)
    // Secrets are hidden before the text is cut and escaped: a half of one could not be recognised.
    let body = Text.excerpt(secrets.hidden(in: String(decoding: answer.body, as: UTF8.self)))
    return error(
      verdict.advice, "answered \(answer.status) (\(verdict.meaning)) to \(records)\(body.isEmpty ? "" : ": '\(body)'")", verdict.remedy)
  }

  /// Success was announced, and then something went wrong.
  func unproven(_ answer: Answer, _ error: any Error) -> DeliveryError {
    let failure = words(error)
    return self.error(
      .retry(after: nil), "answered \(answer.status) to \(records), but then \(failure.happened), so whether it has them is unknown",
      failure.remedy)
  }

  /// No answer came.
  func failed(_ error: any Error) -> DeliveryError {
    let failure = words(error)
    return self.error(.retry(after: nil), "did not take \(records): \(failure.happened)", failure.remedy)
  }

  /// We gave up ourselves.
  func cancelled() -> DeliveryError {
    error(.retry(after: nil), "was not waited for: the request with \(records) was cancelled before its answer came", "they are sent again")
  }

  private var records: String { "records \(delivery.first)..<\(delivery.next)" }

  private var wallClock: Int64 { Int64(time(nil)) }

  private func words(_ error: any Error) -> TransportFailure {
    TransportFailure(error, host: endpoint.host, timeout: configuration.timeout, connectTimeout: configuration.connectTimeout)
  }

  private func error(_ advice: DeliveryError.Advice, _ happened: String, _ remedy: String) -> DeliveryError {
    DeliveryError(advice, "\(endpoint.shown) \(happened); \(remedy)")
  }

  /// A `Location` without what may be secret in it: user, password and query.
  private func shownLocation(_ location: String) -> String {
    var shown = secrets.hidden(in: location)[...]
    if let end = shown.firstIndex(where: { $0 == "?" || $0 == "#" }) { shown = shown[..<end] }
    if let start = shown.firstRange(of: "//")?.upperBound {
      let authority = shown[start...].prefix { $0 != "/" }
      if let at = authority.lastIndex(of: "@") { shown.removeSubrange(start...at) }
    }
    return Text.excerpt(String(shown))
  }
}
