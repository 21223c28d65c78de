internal import RecordBlocks
internal import SystemPackage

/// What a stream is: the file whose content begins with this head. Device, inode and path are where it was last seen.
struct StreamIdentity: Hashable, Sendable {
  /// The most bytes of a head.
  static let maximumHeadLength = 1024
  private static let version: UInt8 = 1
  private static let sourceVersion: UInt8 = 0xF0

  /// The hash of the file's first `headLength` (decompressed) bytes. Only bytes that were delivered are in it, so that a head never tells
  /// of bytes that a power cut can take back from us alone.
  var headHash: ContentHash
  /// How many bytes the head has: it grows with the position up to ``maximumHeadLength``.
  var headLength: Int
  /// The device; not stable over a boot.
  var device: UInt64
  /// The inode on that device.
  var inode: UInt64
  /// Where the file was last seen.
  var path: FilePath

  /// A file of which nothing was delivered yet.
  init(device: UInt64, inode: UInt64, path: FilePath) {
    headHash = ContentHash([])
    headLength = 0
    self.device = device
    self.inode = inode
    self.path = path
  }

  /// The head is as long as heads become, so it tells files apart by itself.
  var hasFullHead: Bool { headLength == Self.maximumHeadLength }

  /// The checkpoint's identity bytes: version, head hash (8), head length (2), device (8), inode (8), path.
  var encoded: [UInt8] {
    var bytes: [UInt8] = [Self.version]
    bytes.appendInteger(headHash.value)
    bytes.appendInteger(UInt16(headLength))
    bytes.appendInteger(device)
    bytes.appendInteger(inode)
    path.withPlatformString { name in
      var next = name
      while next.pointee != 0 {
        bytes.append(UInt8(bitPattern: next.pointee))
        next += 1
      }
    }
    return bytes
  }

  /// Reads identity bytes; nil when they aren't of this version.
  init?(decoding bytes: [UInt8]) {
    let parts: (UInt64, UInt16, UInt64, UInt64, FilePath)? = bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      guard reader.integer(UInt8.self) == Self.version, let hash = reader.integer(UInt64.self), let length = reader.integer(UInt16.self),
        length <= Self.maximumHeadLength, let device = reader.integer(UInt64.self), let inode = reader.integer(UInt64.self)
      else { return nil }
      return (hash, length, device, inode, FilePath(nameBytes: Array(reader.rest())))
    }
    guard let (hash, length, device, inode, path) = parts, !path.isEmpty else { return nil }
    headHash = ContentHash(value: hash)
    headLength = Int(length)
    self.device = device
    self.inode = inode
    self.path = path
  }

  /// The identity of stream 0, which says only that this source has started before (so `start_at: end` no longer applies).
  static let source: [UInt8] = [sourceVersion]
}

extension FilePath {
  /// A path of these bytes, valid UTF-8 or not.
  init(nameBytes: [UInt8]) {
    self = (nameBytes + [0]).withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CInterop.PlatformChar.self) { FilePath(platformString: $0.baseAddress!) }
    }
  }

  /// The path's bytes.
  var nameBytes: [UInt8] { withPlatformString { name in Array(UnsafeRawBufferPointer(start: name, count: length)) } }

  /// This path and one more name.
  func appending(nameBytes: [UInt8]) -> FilePath {
    var bytes = self.nameBytes
    if bytes.last != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
    return FilePath(nameBytes: bytes + nameBytes)
  }

  /// The directory that holds it.
  var parentDirectory: FilePath {
    let parent = removingLastComponent()
    return parent.isEmpty ? FilePath(".") : parent
  }

  /// The last component's bytes.
  var lastNameBytes: [UInt8] {
    let bytes = nameBytes
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes }
    return Array(bytes[(slash + 1)...])
  }

  /// For messages: control characters escaped, since names are other people's text.
  var printable: String {
    var text = ""
    for scalar in string.unicodeScalars {
      if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
