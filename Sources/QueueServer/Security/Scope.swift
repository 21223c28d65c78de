/// What may be done with a queue.
public enum Scope: String, Sendable, CaseIterable {
  /// Read records, segments, gaps and status; make consumers, move and delete them.
  case read
  /// Append records.
  case write
  /// Everything: also seal segments and put dead letters back. Includes the other two.
  case admin

  /// Whether a token with this scope may do what asks for `other`.
  func includes(_ other: Scope) -> Bool { self == other || self == .admin }
}

/// One scope of a token with the queues that it holds for: `read@app-logs`, `write@app-*`, `admin@*`.
public struct Grant: Sendable, Hashable, CustomStringConvertible {
  /// What may be done.
  public let scope: Scope
  /// The queue's name, or a beginning of names when ``isPrefix``; empty for all queues then.
  public let queue: String
  /// Whether names that begin with ``queue`` are meant.
  public let isPrefix: Bool

  /// Follows `expected `.
  public static let expected =
    "read@QUEUE, write@QUEUE or admin@QUEUE, where QUEUE is a queue's name, a beginning of names such as app-*, or *"

  /// The grant that `text` tells; nil when it tells none.
  public init?(_ text: String) {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, let scope = Scope(rawValue: String(parts[0])) else { return nil }
    let isPrefix = parts[1].hasSuffix("*")
    let queue = String(isPrefix ? parts[1].dropLast() : parts[1])
    guard isName(queue) || isPrefix && queue.isEmpty else { return nil }
    self.scope = scope
    self.queue = queue
    self.isPrefix = isPrefix
  }

  /// Whether it lets its bearer do `scope` with a queue; `queue` nil asks for all queues. What is granted for a queue holds for its dead
  /// letters too: they are its records.
  func covers(_ scope: Scope, queue name: String?) -> Bool {
    guard self.scope.includes(scope) else { return false }
    guard let name else { return isPrefix && queue.isEmpty }
    return isPrefix ? name.hasPrefix(queue) : name == queue || name == queue + ".dead-letters"
  }

  /// As in the file of tokens.
  public var description: String { "\(scope.rawValue)@\(queue)\(isPrefix ? "*" : "")" }
}

/// Whether `text` can name a queue, a consumer or a token: `[a-z0-9][a-z0-9._-]{0,63}`.
func isName(_ text: String) -> Bool {
  func isAlphanumeric(_ byte: UInt8) -> Bool { 0x61...0x7A ~= byte || 0x30...0x39 ~= byte }
  guard let first = text.utf8.first, text.utf8.count <= 64 else { return false }
  return isAlphanumeric(first) && text.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
}
