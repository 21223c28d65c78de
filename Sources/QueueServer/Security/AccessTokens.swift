public import Logging
internal import Synchronization

/// The tokens that a server takes: a file, read again when it changes.
///
/// The file is looked at once a second, whether requests come or not, so a line that is removed opens nothing a second later. A new version
/// that can't be used leaves the old one in force, which is said once, as an error.
public final class AccessTokens: Sendable {
  private struct State {
    var table: TokenTable
    /// What the file was when it was read, or tried to be; nil when it wasn't there.
    var seen: OperatorFile.Identity?
  }

  private let file: String
  private let logger: Logger
  private let state: Mutex<State>
  private let timer = Mutex<RepeatingTimer?>(nil)

  /// Reads `file`, and from now on whenever it changes. Blocking; only for the start.
  public convenience init(file: String, logger: Logger) throws(TokenFileError) {
    try self.init(file: file, logger: logger, interval: .seconds(1))
  }

  /// Looks at the file every `interval`; nil: only when ``look()`` is called.
  init(file: String, logger: Logger, interval: Duration?) throws(TokenFileError) {
    // Told before the content: a change between the two is seen by the next look.
    let seen = OperatorFile.Identity(path: file)
    let table = try TokenFile.read(file)
    self.file = file
    self.logger = logger
    state = Mutex(State(table: table, seen: seen))
    tellEmpty(table)
    guard let interval else { return }
    timer.withLock { $0 = RepeatingTimer(label: "sluice.tokens", interval: interval) { [weak self] in self?.look() } }
  }

  /// What the sender of a request with this `Authorization` field may do. Never blocks.
  public func access(authorization: String?) -> Access {
    guard let authorization, let token = Self.token(in: authorization) else { return .noToken }
    return state.withLock(\.table).bearer(of: token).map(Access.bearer) ?? .unknownToken
  }

  /// Reads the file if it has changed since it was last read, or tried to be. Blocking; one at a time.
  func look() {
    let now = OperatorFile.Identity(path: file)
    guard now != state.withLock(\.seen) else { return }
    do throws(TokenFileError) {
      let table = try TokenFile.read(file)
      state.withLock { $0 = State(table: table, seen: now) }
      logger.notice("access tokens were read again", metadata: ["server.tokens": "\(file)", "tokens": "\(table.bearers.count)"])
      tellEmpty(table)
    } catch {
      state.withLock { $0.seen = now }
      logger.error(
        "the file of access tokens can't be used; the tokens read before stay valid until it is right",
        metadata: ["server.tokens": "\(file)", "error": "\(error)"])
    }
  }

  private func tellEmpty(_ table: TokenTable) {
    guard table.bearers.isEmpty else { return }
    logger.warning("the file of access tokens holds none: every request will be refused", metadata: ["server.tokens": "\(file)"])
  }

  /// The token of `Bearer TOKEN`; the scheme in any case (RFC 9110, section 11.1).
  private static func token(in authorization: String) -> Substring? {
    let parts = authorization.split(separator: " ")
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return parts[1]
  }
}
