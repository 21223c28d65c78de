/// Reads little-endian integers and parts off a buffer; nil instead of reading past its end.
public struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  /// Reads from the start of `bytes`, which must outlive the reader.
  public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Nothing is left.
  public var isAtEnd: Bool { position == bytes.count }

  /// The next integer.
  public mutating func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    guard bytes.count - position >= MemoryLayout<T>.size else { return nil }
    defer { position += MemoryLayout<T>.size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
  }

  /// The next `count` bytes, as a reader of their own.
  public mutating func part(_ count: Int) -> ByteReader? {
    guard count >= 0, bytes.count - position >= count else { return nil }
    defer { position += count }
    return ByteReader(UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
  }

  /// All that is left.
  public mutating func rest() -> UnsafeRawBufferPointer {
    defer { position = bytes.count }
    return UnsafeRawBufferPointer(rebasing: bytes[position...])
  }
}

extension [UInt8] {
  /// Appends an integer, little-endian.
  public mutating func appendInteger<T: FixedWidthInteger>(_ value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
