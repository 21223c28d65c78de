internal import CBlockCodec
internal import Glibc

/// The compressor and decompressor of blocks: zlib, or ISA-L where it is there. Each writes and reads the same format; either reads the
/// other's blocks.
///
/// Safe to call from any thread: each call borrows a working state of its own.
public final class BlockCodec: Sendable {
  /// Which library does the work.
  public enum Kind: String, Sendable, Hashable { case zlib, isal = "ISA-L" }

  /// ISA-L where it is there, else zlib.
  public static let shared = BlockCodec(preferred)!
  /// Which library does the work.
  public let kind: Kind
  private let idle = IdleStates()

  /// A codec of one kind, or nil when its library isn't there.
  public init?(_ kind: Kind) {
    if kind == .isal, block_codec_isal_available() == 0 { return nil }
    self.kind = kind
  }

  /// The library's name and version.
  public var description: String { "\(kind.rawValue) \(String(cString: block_codec_version(kind.code)))" }

  private static var preferred: Kind { block_codec_isal_available() == 1 ? .isal : .zlib }

  /// `SLUICE_CODEC=zlib` stands in the environment: then ISA-L isn't used for anything in this process, as if it weren't there.
  public static var zlibIsAskedFor: Bool { block_codec_zlib_is_asked_for() == 1 }

  /// Compresses lines; the result can be joined with others (see ``GzipMember``).
  public func deflate(_ lines: UnsafeRawBufferPointer) -> DeflatedLines {
    deflate(lines, roomInFront: 0, roomBehind: 0)
  }

  /// Compresses lines into a buffer that has free bytes before and after the data, so that a member can be put together without copying.
  func deflate(_ lines: UnsafeRawBufferPointer, roomInFront: Int, roomBehind: Int) -> DeflatedLines {
    if lines.isEmpty {
      return DeflatedLines(
        data: SharedBytes(SharedBytes.Storage(capacity: roomInFront + roomBehind), from: roomInFront, count: 0), checksum: 0,
        lineByteCount: 0)
    }
    return withState { state in
      let bound = block_codec_deflate_bound(lines.count)
      let scratch = state.scratch(bound)
      let written = Int(block_codec_deflate(state.codec, lines.baseAddress, lines.count, scratch, bound))
      precondition(written >= 0, "deflate failed within its own bound")
      // Lines are kept in memory compressed: give them a buffer of their true size.
      let storage = SharedBytes.Storage(capacity: roomInFront + written + roomBehind)
      (storage.base + roomInFront).copyMemory(from: scratch, byteCount: written)
      return DeflatedLines(
        data: SharedBytes(storage, from: roomInFront, count: written), checksum: block_codec_crc32(0, lines.baseAddress, lines.count),
        lineByteCount: lines.count)
    }
  }

  /// Inflates what ``deflate(_:)`` made; throws ``BlockDamage/inflate`` unless it gives exactly the lines that were compressed.
  public func inflate(_ deflated: DeflatedLines) throws(BlockDamage) -> SharedBytes {
    let result = SharedBytes.Storage(capacity: deflated.lineByteCount)
    // The two bytes after the data close the deflate stream; the caller's buffer may not have them, so they are brought along.
    let whole: Bool = withState { state in
      deflated.data.withUnsafeBytes { data in
        let scratch = state.scratch(data.count + 2)
        if let source = data.baseAddress { scratch.copyMemory(from: source, byteCount: data.count) }
        scratch.storeBytes(of: 3, toByteOffset: data.count, as: UInt8.self)
        scratch.storeBytes(of: 0, toByteOffset: data.count + 1, as: UInt8.self)
        return block_codec_inflate(state.codec, scratch, data.count + 2, result.base, deflated.lineByteCount) == 0
      }
    }
    guard whole, block_codec_crc32(0, result.base, deflated.lineByteCount) == deflated.checksum else { throw .inflate }
    return SharedBytes(result, count: deflated.lineByteCount)
  }

  /// CRC-32 as in gzip.
  public static func checksum(_ bytes: UnsafeRawBufferPointer, continuing seed: UInt32 = 0) -> UInt32 {
    block_codec_crc32(seed, bytes.baseAddress, bytes.count)
  }

  private func withState<R>(_ body: (State) -> R) -> R {
    let state = idle.take() ?? State(kind)
    defer {
      state.trim()
      idle.give(state)
    }
    return body(state)
  }

  /// Working states kept for the next calls; more calls at once make states of their own.
  ///
  /// Under a lock of pthreads, not `Synchronization.Mutex`: the thread sanitizer doesn't see that one's futex.
  private final class IdleStates: @unchecked Sendable {  // `states` is only touched between lock and unlock
    private static let most = 4
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var states: [State] = []

    init() { pthread_mutex_init(mutex, nil) }

    deinit {
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
    }

    func take() -> State? {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      return states.popLast()
    }

    func give(_ state: State) {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      if states.count < Self.most { states.append(state) }
    }
  }

  /// One call's working memory.
  private final class State: @unchecked Sendable {  // owned by one call at a time, handed over under the lock of `IdleStates`
    let codec: OpaquePointer
    private var buffer: UnsafeMutableRawPointer?
    private var capacity = 0

    init(_ kind: Kind) {
      guard let codec = block_codec_create(kind.code) else { preconditionFailure("out of memory") }
      self.codec = codec
    }

    deinit {
      block_codec_destroy(codec)
      buffer?.deallocate()
    }

    func scratch(_ count: Int) -> UnsafeMutableRawPointer {
      if count > capacity {
        buffer?.deallocate()
        buffer = .allocate(byteCount: count, alignment: 64)
        capacity = count
      }
      return buffer!
    }

    /// One giant line must not keep its room for ever.
    func trim() {
      guard capacity > Self.maximumIdleByteCount else { return }
      buffer?.deallocate()
      buffer = nil
      capacity = 0
    }

    private static let maximumIdleByteCount = 4 << 20
  }
}

extension BlockCodec.Kind {
  fileprivate var code: Int32 { self == .zlib ? 0 : 1 }
}

/// Compressed lines without any frame: byte-aligned deflate data that ends in a flush, its lines' CRC-32 and length.
public struct DeflatedLines: Sendable {
  /// Deflate data, not final: other data may follow, or `03 00` to close it.
  public let data: SharedBytes
  /// CRC-32 of the lines.
  public let checksum: UInt32
  /// Bytes of the lines.
  public let lineByteCount: Int

  /// Deflate data that was made earlier; nothing is checked before it is inflated.
  public init(data: SharedBytes, checksum: UInt32, lineByteCount: Int) {
    self.data = data
    self.checksum = checksum
    self.lineByteCount = lineByteCount
  }
}
