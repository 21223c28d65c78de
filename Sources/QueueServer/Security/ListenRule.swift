public import PipelineCore

/// Whether the server may listen where it was told to: nobody opens queues to a network by a slip.
public struct ListenRule: Sendable, Equatable {
  /// The answer.
  public enum Verdict: Sendable, Equatable {
    /// It may.
    case allowed
    /// It may; the operator has to read this sentence.
    case warned(String)
    /// It must not start; this sentence says why and what to do.
    case refused(String)
  }

  /// Where it is to listen.
  public var address: ServerAddress
  /// Whether requests need tokens.
  public var hasTokens: Bool
  /// Whether connections are encrypted.
  public var hasTLS: Bool
  /// Whether the operator said `insecure`.
  public var isInsecure: Bool

  /// A rule for these choices.
  public init(address: ServerAddress, hasTokens: Bool, hasTLS: Bool, isInsecure: Bool) {
    self.address = address
    self.hasTokens = hasTokens
    self.hasTLS = hasTLS
    self.isInsecure = isInsecure
  }

  /// What follows from them.
  public var verdict: Verdict {
    if address.isLocal || isInsecure { return .allowed }
    if !hasTokens {
      return .refused(
        "\(address) can be reached from other machines, and everyone there could read and change the queues; give the server a file of tokens (tokens: FILE; 'sluice token' makes them), or listen on 127.0.0.1, or say that you mean it (insecure: true, or --insecure)"
      )
    }
    if !hasTLS {
      return .warned(
        "tokens and records cross the network in plain text: who can listen there can use them; set tls, or put a proxy with TLS before a server on 127.0.0.1 (insecure: true silences this)"
      )
    }
    return .allowed
  }
}
