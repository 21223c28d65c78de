/// The part of a stream's subjects that one of several hosts takes.
public struct SubjectShare: Sendable, Hashable {
  /// Which of them this host is, from 0 on.
  public var index: Int
  /// How many hosts there are.
  public var count: Int

  /// All subjects.
  public static let all = SubjectShare(index: 0, count: 1)

  /// Share `index` of `count`.
  public init(index: Int, count: Int) {
    precondition(count > 0 && (0..<count).contains(index), "no such share")
    self.index = index
    self.count = count
  }

  /// Whether the host takes `subject`: by a hash (FNV-1a, 64 bits) that never changes, so that all hosts agree without asking each other.
  public func contains(_ subject: String) -> Bool {
    if count == 1 { return true }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in subject.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return hash % UInt64(count) == UInt64(index)
  }
}
