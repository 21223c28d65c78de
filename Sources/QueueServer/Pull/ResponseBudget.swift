internal import HTTPTypes
internal import Synchronization

/// The memory of answers on their way to their readers: bounded for all of them together, so that slow readers hold no more than that.
///
/// When half of it is in use, answers become smaller; when all is, new ones are refused until readers have caught up or were cut off.
final class ResponseBudget: Sendable {
  private let total: Int
  private let used = Mutex(0)
  /// Less than this is not worth an answer: a block.
  private static let least = 256 << 10

  init(total: Int) { self.total = total }

  /// How many bytes an answer may have now that wants `wanted`.
  func allowance(_ wanted: Int) throws -> Int {
    let free = used.withLock { total - $0 }
    if free >= total / 2 { return wanted }
    guard free > 0 else {
      throw Problem(
        .serviceUnavailable, "busy", "answers that clients have not read yet fill the memory for them; ask again in a moment", retryAfter: 1
      )
    }
    return min(wanted, max(Self.least, free / 8))
  }

  func take(_ bytes: Int) { used.withLock { $0 += bytes } }
  func giveBack(_ bytes: Int) { used.withLock { $0 -= bytes } }

  /// Bytes in use.
  var inUse: Int { used.withLock { $0 } }
}
