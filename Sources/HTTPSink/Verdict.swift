internal import PipelineCore

/// What an answer that isn't a success means for the records, and the words for it.
///
/// One question decides: can these records ever succeed? What may pass by itself is tried again; what only a change of configuration can
/// mend waits
/// for an operator, so that no record is given up for a wrong password; only what the destination says of these records themselves
/// rejects them.
struct Verdict {
  /// What the runtime should do.
  let advice: DeliveryError.Advice
  /// What the status means here.
  let meaning: String
  /// What to do about it.
  let remedy: String

  /// - Parameters:
  ///   - location: the answer's `Location`, fit to be shown.
  ///   - isCompressed: the body was gzip.
  init(status: Int, retryAfter: Duration?, location: String?, isCompressed: Bool) {
    let otherwiseGzip = isCompressed ? "; if it doesn't take gzip bodies, set 'compression: none'" : ""
    switch status {
    case 300..<400:
      advice = .waitForOperator
      meaning = "a redirect\(location.map { " to '\($0)'" } ?? "")"
      remedy = "redirects are not followed, since the headers could go astray; set 'url' to where it points"
    case 401, 403:
      advice = .waitForOperator
      meaning = "not authorised"
      remedy = "check the sink's 'headers' (or the user in 'url'); it is tried again now and then"
    case 407:
      advice = .waitForOperator
      meaning = "a proxy on the way asks for credentials"
      remedy = "set 'url' so that no such proxy is in between; it is tried again now and then"
    case 413:
      advice = .split
      meaning = "too large"
      remedy = "it is sent in halves; lower 'batch.max_bytes', or raise the destination's limit"
    case 408, 425, 429:
      advice = .retry(after: retryAfter)
      meaning = status == 429 ? "too many requests" : "not now"
      remedy = "it is sent again; if that lasts, lower the sink's 'pull' rate"
    case 501, 505:
      advice = .retry(after: retryAfter)
      meaning = "it does not know this kind of request at all"
      remedy = "it is sent again, but hardly with success before 'url' or the destination is changed"
    case 500..<600:
      advice = .retry(after: retryAfter)
      meaning = "a failure of its own"
      remedy = "it is sent again; look into the destination's log"
    case 400..<500:
      advice = .reject(status: String(status))
      switch status {
      case 400:
        (meaning, remedy) = ("it can't read the request", "check the sink's 'format'\(otherwiseGzip)")
      case 404, 405, 410:
        (meaning, remedy) = ("nothing takes records there", "check the path in 'url'")
      case 415:
        (meaning, remedy) = ("a type or coding that it doesn't take", "check 'format' and the header Content-Type\(otherwiseGzip)")
      default:
        (meaning, remedy) = ("it refuses these records", "look into the destination's log")
      }
    default:
      advice = .retry(after: retryAfter)
      meaning = "not a status that answers a POST"
      remedy = "it is sent again; check that 'url' leads to an HTTP server that takes records"
    }
  }
}
