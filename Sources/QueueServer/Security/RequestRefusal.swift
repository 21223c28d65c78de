public import HTTPTypes

/// Why a request is answered with an error before a handler sees it, as RFC 9457 wants it told.
public struct RequestRefusal: Error, Sendable, Equatable {
  /// The answer's status.
  public let status: HTTPResponse.Status
  /// A word for programs: `unauthorized`, `wrong_host`, …
  public let code: String
  /// A few words for people, the same for each code.
  public let title: String
  /// What happened and what to do.
  public let detail: String
  /// Header fields that belong to the answer.
  public var fields = HTTPFields()
}
