internal import HTTPTypes
internal import Synchronization

/// The memory of answers on their way to their readers: bounded for all of them together, so that slow readers hold no more than that.
///
/// When half of it is in use, answers become smaller; when all is, new ones are refused until readers have caught up or were cut off.
final class ResponseBudget: Sendable {
  /// An answer's part of the memory, from before it is read until it is with the kernel: counted for as long as somebody refers to this.
  final class Share: Sendable {
    private let budget: ResponseBudget
    private let held: Mutex<Int>

    fileprivate init(_ byteCount: Int, _ budget: ResponseBudget) {
      self.budget = budget
      held = Mutex(byteCount)
    }

    /// How many bytes the answer may have.
    var byteCount: Int { held.withLock { $0 } }

    /// The answer has turned out to have so many bytes: fewer, or more when it is one long record.
    func resize(to byteCount: Int) {
      held.withLock { held in
        budget.used.withLock { $0 += byteCount - held }
        held = byteCount
      }
    }

    deinit { held.withLock { held in budget.used.withLock { $0 -= held } } }
  }

  private let total: Int
  private let used = Mutex(0)
  /// Less than this is not worth an answer: a block.
  static let least = 256 << 10

  init(total: Int) { self.total = total }

  /// Takes what an answer may have now that wants `wanted` bytes. At once, so that many answers in the same moment don't all see the same
  /// free memory.
  /// - Parameter least: under pressure it is not cut below this.
  /// - Throws: ``Problem`` `busy`.
  func share(of wanted: Int, least: Int = ResponseBudget.least) throws -> Share {
    let taken: Int? = used.withLock { used in
      let free = total - used
      guard free > 0 else { return nil }
      let allowed = free >= total / 2 ? min(wanted, free) : min(wanted, max(least, free / 8))
      used += allowed
      return allowed
    }
    guard let taken else {
      throw Problem(
        .serviceUnavailable, "busy", "answers that clients have not read yet fill the memory for them; ask again in a moment", retryAfter: 1
      )
    }
    return Share(taken, self)
  }

  /// Bytes in use.
  var inUse: Int { used.withLock { $0 } }
}
