/// Records that a client sent under a key of its own, so that it may send them again without doubling them: what was sent, and where it is.
public struct KeyedBody: Sendable, Hashable {
  /// The client's key: 1 to 128 bytes of visible ASCII.
  public let key: String
  /// What tells this body from another under the same key: at most 32 bytes, by whatever hash the client's side has chosen.
  public let hash: [UInt8]
  /// The first record's offset.
  public var first: Offset
  /// How many records.
  public var recordCount: UInt64
  /// How long the queue had been open, all its life, when they were written; nanoseconds.
  public var openAge: UInt64

  /// The most bytes of a key.
  public static let maximumKeyBytes = 128
  /// The most bytes of a hash.
  public static let maximumHashBytes = 32

  /// A body under a valid key.
  public init(key: String, hash: [UInt8], first: Offset = .zero, recordCount: UInt64 = 0, openAge: UInt64 = 0) {
    precondition(Self.isValid(key: key.utf8) && hash.count <= Self.maximumHashBytes, "not a key, or too long a hash")
    self.key = key
    self.hash = hash
    self.first = first
    self.recordCount = recordCount
    self.openAge = openAge
  }

  /// Whether these bytes are a key.
  public static func isValid(key: some Collection<UInt8>) -> Bool {
    (1...maximumKeyBytes).contains(key.count) && key.allSatisfy { (0x21...0x7E).contains($0) }
  }
}
