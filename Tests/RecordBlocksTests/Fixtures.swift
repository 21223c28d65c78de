import Foundation
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

extension BlockCodec {
  static let zlib = BlockCodec(.zlib)!
  /// ISA-L where it is there; where it isn't, what is tried across the codecs is tried with zlib alone.
  static let fast = BlockCodec(.isal) ?? zlib
}

/// A codec as a test's argument.
enum CodecChoice: CaseIterable, Sendable, CustomTestStringConvertible {
  case zlib, fast

  var codec: BlockCodec { self == .zlib ? .zlib : .fast }
  var testDescription: String { codec.description }
}

extension SplitMix64 {
  /// About `byteCount` bytes of lines as servers write them.
  mutating func logLines(_ byteCount: Int) -> [UInt8] {
    let words = [
      "GET", "POST", "/api/v1/users", "/static/app.js", "connection", "timeout", "worker", "started", "200", "404", "retry", "session",
    ]
    var lines: [UInt8] = []
    while lines.count < byteCount {
      let line =
        "2026-11-23T\(int(10..<24)):\(int(10..<60)):\(int(10..<60)).\(int(100..<1000))Z host\(int(1..<9)) app[\(int(1000..<9999))]: "
        + (0..<int(2..<12)).map { _ in words[int(0..<words.count)] }.joined(separator: " ") + " id=\(String(next() >> 32, radix: 16))\n"
      lines.append(contentsOf: line.utf8)
    }
    return lines
  }

  /// Lines of every sort: empty, binary, long, ordinary.
  mutating func oddLines(_ count: Int) -> [UInt8] {
    var lines: [UInt8] = []
    for _ in 0..<count {
      switch int(0..<5) {
      case 0: break
      case 1: lines += bytes(int(0..<300)).map { $0 == 0x0A ? 0x0B : $0 }
      case 2: lines += [UInt8](repeating: UInt8(int(0x20..<0x7F)), count: int(0..<5000))
      default: lines += logLines(1).dropLast()
      }
      lines.append(0x0A)
    }
    return lines
  }

  /// Any header of `kind` that a queue could write, but for its lengths and checksums.
  mutating func header(_ kind: BlockHeader.Kind, records: Int = 0, entries: [BlockEntry] = []) -> BlockHeader {
    BlockHeader(
      kind: kind, flags: BlockHeader.Flags(rawValue: UInt16(truncatingIfNeeded: next() & 7)), queueID: QueueID(high: next(), low: next()),
      salt: UInt32(truncatingIfNeeded: next()), base: Offset(next() >> 2), offsetCount: UInt64(records),
      source: UInt32(truncatingIfNeeded: next()),
      firstTime: Int64(bitPattern: next()), lastTime: Int64(bitPattern: next()), openAge: next(), epoch: UInt32(truncatingIfNeeded: next()),
      cumulativeRecords: next(), cumulativeBytes: next(), cumulativeLost: next(), durableEnd: Offset(next() >> 1), entries: entries)
  }

  /// Any entry but a gap.
  mutating func entry() -> BlockEntry {
    switch int(0..<6) {
    case 5:
      .key(
        KeyedBody(
          key: String((0..<int(1...128)).map { _ in Character(UnicodeScalar(UInt8(int(0x21...0x7E)))) }), hash: bytes(int(0...32)),
          first: Offset(next() >> 1), recordCount: next() >> 1, openAge: next()))
    case 0:
      .source(
        id: UInt32(truncatingIfNeeded: next()),
        name: String((0..<int(0..<20)).map { _ in Character(UnicodeScalar(UInt16(int(0x20..<0x3FF)))!) }))
    case 1:
      .checkpoint(
        source: UInt32(truncatingIfNeeded: next()), stream: UInt32(truncatingIfNeeded: next()), identity: nil, value: bytes(int(0..<40)))
    case 2: .checkpoint(source: 1, stream: 2, identity: bytes(int(0..<40)), value: bytes(int(0..<40)))
    case 3: .forget(source: UInt32(truncatingIfNeeded: next()), stream: UInt32(truncatingIfNeeded: next()))
    default: .epoch(number: UInt32(truncatingIfNeeded: next()), first: Offset(next()))
    }
  }
}

/// A block of `lines`, made as the queue makes it.
func makeBlock(_ lines: [UInt8], _ header: BlockHeader, _ codec: BlockCodec = .zlib) -> StoredBlock {
  let entryBytes = header.entries.reduce(0) { $0 + $1.encodedByteCount }
  return StoredBlock(header, completing: StoredBlock.prepare(SharedBytes(copying: lines), entryBytes: entryBytes, codec: codec))
}

/// A block of `lines` that hold `records` line feeds.
func makeBlock(_ lines: [UInt8], base: UInt64 = 0, _ codec: BlockCodec = .zlib, seed: UInt64 = 1) -> StoredBlock {
  var random = SplitMix64(seed: seed)
  var header = random.header(.lines, records: lines.count { $0 == 0x0A })
  header.base = Offset(base)
  header.flags = []
  return makeBlock(lines, header, codec)
}

/// Reads a block as a queue does: header, length, checksum, lines.
func readBlock(_ bytes: [UInt8], _ codec: BlockCodec = .zlib) throws(BlockDamage) -> (header: BlockHeader, lines: [UInt8]) {
  let header = try decodeHeader(bytes)
  guard bytes.count >= header.memberByteCount else { throw .truncated }
  let block = try StoredBlock(header, member: SharedBytes(copying: Array(bytes.prefix(header.memberByteCount))))
  return (header, try block.lines(codec).array)
}

func decodeHeader(_ bytes: [UInt8]) throws(BlockDamage) -> BlockHeader {
  try SharedBytes(copying: bytes).withUnsafeBytes { bytes throws(BlockDamage) in try BlockHeader(decoding: bytes) }
}

/// Changes a member's header and makes its checksum right again.
func patchHeader(_ member: [UInt8], _ change: (inout [UInt8]) -> Void) -> [UInt8] {
  var bytes = member
  change(&bytes)
  let end = 16 + Int(bytes[14]) + Int(bytes[15]) << 8 - 4
  let checksum = bytes.withUnsafeBytes { BlockCodec.checksum(UnsafeRawBufferPointer(rebasing: $0[..<end])) }
  for i in 0..<4 { bytes[end + i] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(i))) }
  return bytes
}

extension GzipMember {
  /// The member in one piece.
  var bytes: [UInt8] { pieces.flatMap(\.array) }
}

/// What a program makes of `input`; the test fails when it isn't installed or ends with an error.
func pipe(_ input: [UInt8], through command: String, _ location: SourceLocation = #_sourceLocation) throws -> [UInt8] {
  let directory = TemporaryDirectory()
  let (source, result) = (directory.path.appending("in.gz").string, directory.path.appending("out").string)
  try Data(input).write(to: URL(fileURLWithPath: source))
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/sh")
  process.arguments = ["-c", "\(command) > \"$RESULT\"", "sh"]
  process.environment = ProcessInfo.processInfo.environment.merging(["SOURCE": source, "RESULT": result]) { $1 }
  try process.run()
  process.waitUntilExit()
  #expect(process.terminationStatus == 0, "\(command)", sourceLocation: location)
  return Array(try Data(contentsOf: URL(fileURLWithPath: result)))
}
