internal import NIOCore

/// Why a connection was closed that made no progress.
public enum ConnectionStall: String, Sendable, CaseIterable {
  /// The TLS handshake took longer than `handshake_timeout`.
  case handshake
  /// A request's head took longer than `header_timeout`.
  case header
  /// No request came within `idle_timeout`.
  case idle
  /// Less than `min_progress` of a request's body came within `body_timeout`; or its rest went on coming after the response.
  case body
  /// Less than `min_progress` of a response was taken within `response_timeout`.
  case response
}

/// Whether one connection makes progress: what happens on it goes in, the time at which it has failed comes out. Bytes are the socket's, so
/// TLS's own count.
///
/// Of a client two things are asked at most: to send what it has begun to send (`waiting`), and to take what it was sent (`window`). While a
/// request waits for records neither is, however long. Time in which the server itself doesn't read, since the queue is full or the body
/// comes faster than it is written, isn't the client's.
struct ConnectionProgress {
  /// What the client has to send next.
  private enum Waiting {
    /// Nothing: its request is being answered.
    case nothing
    case handshake(since: NIODeadline)
    case head(since: NIODeadline)
    case idle(since: NIODeadline)
    case body(Body)
    /// The rest of a body that is already answered.
    case rest(since: NIODeadline)
  }

  /// A piece of time in which a body must come on.
  private struct Body {
    /// Moved on by the time in which the server didn't read.
    var since: NIODeadline
    var bytes = 0
    /// Since when the server doesn't read.
    var pausedAt: NIODeadline?
  }

  /// A piece of time in which a response must be taken.
  private struct Window {
    var since: NIODeadline
    /// What the socket had taken then, of all that was ever written.
    var takenBytes: Int
  }

  private let limits: ConnectionLimits
  private var waiting = Waiting.nothing
  private var window: Window?
  /// Requests whose response hasn't ended.
  private var requestCount = 0
  /// Whether a request's head has come, and its end hasn't.
  private var isReceiving = false
  /// Whether bytes came behind the last request while it was answered: the beginning of the next.
  private var hasEarlyBytes = false
  private var writtenBytes = 0

  init(limits: ConnectionLimits) { self.limits = limits }

  // MARK: - From the client

  mutating func connected(isSecure: Bool, now: NIODeadline) {
    waiting = isSecure ? .handshake(since: now) : .head(since: now)
  }

  mutating func handshakeCompleted(now: NIODeadline) { waiting = .head(since: now) }

  mutating func received(byteCount: Int, now: NIODeadline) {
    switch waiting {
    case .idle: waiting = .head(since: now)
    case .body(var body):
      body.bytes += byteCount
      if body.bytes >= limits.minProgressBytes { body = Body(since: now) }
      waiting = .body(body)
    case .nothing: hasEarlyBytes = true
    case .handshake, .head, .rest: break
    }
  }

  mutating func requestBegan(now: NIODeadline) {
    requestCount += 1
    isReceiving = true
    hasEarlyBytes = false
    waiting = .body(Body(since: now))
  }

  mutating func requestEnded(now: NIODeadline) {
    isReceiving = false
    waiting = requestCount > 0 ? .nothing : .idle(since: now)
  }

  // MARK: - From the server

  mutating func wantsToRead(now: NIODeadline) {
    if case .body(var body) = waiting, let pausedAt = body.pausedAt {
      body.since = body.since + (now - pausedAt)
      body.pausedAt = nil
      waiting = .body(body)
    }
  }

  mutating func readOnce(now: NIODeadline) {
    if case .body(var body) = waiting, body.pausedAt == nil {
      body.pausedAt = now
      waiting = .body(body)
    }
  }

  /// Bytes are on their way to the socket, in which `bufferedBytes` waited before them.
  mutating func willWrite(byteCount: Int, bufferedBytes: Int, now: NIODeadline) {
    if window == nil || bufferedBytes == 0 { window = Window(since: now, takenBytes: writtenBytes - bufferedBytes) }
    writtenBytes += byteCount
  }

  mutating func responseEnded(now: NIODeadline) {
    requestCount = max(0, requestCount - 1)
    guard requestCount == 0 else { return }
    if isReceiving {
      waiting = .rest(since: now)
    } else {
      waiting = hasEarlyBytes ? .head(since: now) : .idle(since: now)
    }
    hasEarlyBytes = false
  }

  // MARK: - The answer

  /// When the connection will have failed unless something happens; nil while nothing is asked of the client.
  var deadline: NIODeadline? {
    let response = window.map { $0.since + TimeAmount(limits.responseTimeout) }
    guard let request = sendingDeadline?.deadline else { return response }
    return min(request, response ?? request)
  }

  /// What has failed by now, if anything. `bufferedBytes` is what the socket hasn't taken yet.
  mutating func stall(bufferedBytes: Int, now: NIODeadline) -> ConnectionStall? {
    // Who still takes a response isn't idle yet.
    if case .idle = waiting, bufferedBytes > 0 { waiting = .idle(since: now) }
    if let sending = sendingDeadline, now >= sending.deadline { return sending.stall }
    guard let window else { return nil }
    if bufferedBytes == 0 {
      self.window = nil
    } else if now >= window.since + TimeAmount(limits.responseTimeout) {
      let takenBytes = writtenBytes - bufferedBytes
      guard takenBytes - window.takenBytes >= limits.minProgressBytes else { return .response }
      self.window = Window(since: now, takenBytes: takenBytes)
    }
    return nil
  }

  private var sendingDeadline: (deadline: NIODeadline, stall: ConnectionStall)? {
    switch waiting {
    case .nothing: nil
    case .handshake(let since): (since + TimeAmount(limits.handshakeTimeout), .handshake)
    case .head(let since): (since + TimeAmount(limits.headerTimeout), .header)
    case .idle(let since): (since + TimeAmount(limits.idleTimeout), .idle)
    case .body(let body): body.pausedAt == nil ? (body.since + TimeAmount(limits.bodyTimeout), .body) : nil
    case .rest(let since): (since + TimeAmount(limits.bodyTimeout), .body)
    }
  }
}
