internal import Glibc

/// Immutable bytes that several readers share without copying: a slice of one counted buffer.
public struct SharedBytes: Sendable {
  /// Where the bytes live. Filled by one owner before it is shared, never written after.
  public final class Storage: @unchecked Sendable {  // immutable once shared
    /// The first byte.
    public let base: UnsafeMutableRawPointer
    /// How many bytes there is room for.
    public let capacity: Int

    /// Room for `capacity` bytes, not initialised.
    public init(capacity: Int) {
      self.capacity = capacity
      base =
        LargeStorages.size(for: capacity).map { LargeStorages.shared.take($0) } ?? .allocate(byteCount: max(capacity, 1), alignment: 64)
    }

    deinit {
      if let size = LargeStorages.size(for: capacity) { LargeStorages.shared.give(base, size) } else { base.deallocate() }
    }
  }

  let storage: Storage
  let start: Int
  /// How many bytes.
  public let count: Int

  /// `count` bytes of `storage` from `start` on; the owner writes no more to them.
  public init(_ storage: Storage, from start: Int = 0, count: Int) {
    precondition(start >= 0 && count >= 0 && start + count <= storage.capacity, "slice outside its storage")
    self.storage = storage
    self.start = start
    self.count = count
  }

  /// A copy of `bytes`.
  public init(copying bytes: UnsafeRawBufferPointer) {
    let storage = Storage(capacity: bytes.count)
    if let source = bytes.baseAddress { storage.base.copyMemory(from: source, byteCount: bytes.count) }
    self.init(storage, count: bytes.count)
  }

  /// The bytes; valid only inside `body`.
  public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    let result = try body(UnsafeRawBufferPointer(start: storage.base + start, count: count))
    withExtendedLifetime(storage) {}
    return result
  }

  /// A part of them, sharing the storage.
  public func slice(_ range: Range<Int>) -> SharedBytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice outside the bytes")
    return SharedBytes(storage, from: start + range.lowerBound, count: range.count)
  }

  /// A copy as an array.
  public var array: [UInt8] { withUnsafeBytes { Array($0) } }
}
