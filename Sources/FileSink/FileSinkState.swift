internal import PipelineCore
internal import RecordBlocks

/// A line feed that was not written, because the record before it had none in its input.
enum WithheldLineFeed: Hashable {
  /// Nothing is withheld.
  case none
  /// It is written before the next record, unless that is the same source's and goes on where the record stopped.
  case unlessContinued(by: UInt32)
  /// It is written before the next record: what might have continued the record was lost.
  case always
}

/// What the file sink commits with the cursor: all that is needed to cut the output back to exactly this point.
struct FileSinkState: Hashable {
  /// The file that is being written, as it was on the disk at the commit.
  struct CommittedFile: Hashable {
    var device: UInt64
    var inode: UInt64
    var length: Int64
    var withheld: WithheldLineFeed
  }

  /// An earlier file that was cut after a failed sync. The cut itself couldn't be synced, so it is checked again at the next start.
  struct AbandonedFile: Hashable {
    var location: OutputLocation
    var inode: UInt64
    var length: Int64
  }

  /// The last file's name, and what it was made of: later names never show an earlier time.
  struct Name: Hashable {
    var location: OutputLocation
    /// Nanoseconds since 1970.
    var time: Int64
    /// 0 for a name without a number.
    var number: Int
  }

  /// The last file's name; nil before the first file.
  var name: Name?
  /// The file, unless none is being written.
  var file: CommittedFile?
  /// Oldest first; the oldest are left out when they don't fit.
  var abandoned: [AbandonedFile] = []
}

// The state's bytes, version 1, integers little-endian:
//
//   version u8 = 1 │ what follows u8 (0 no name, 1 a name, 2 a name and a file)
//   name:  time i64 │ number u64 │ base │ relative
//   file:  device u64 │ inode u64 │ length i64 │ withheld u8 (0 none, 1 unless continued, 2 always) │ its source u32
//   abandoned files: count u8, then for each:  inode u64 │ length i64 │ base │ relative
//
// A path is its length in bytes as u16, then its UTF-8 bytes.
extension FileSinkState {
  static let version: UInt8 = 1

  /// Why bytes are no state.
  enum DecodingError: Error { case newerVersion, malformed }

  func encode() -> SinkState {
    precondition(file == nil || name != nil, "a file without a name")
    var bytes: [UInt8] = [Self.version, name == nil ? 0 : file == nil ? 1 : 2]
    if let name {
      bytes.appendInteger(name.time)
      bytes.appendInteger(UInt64(name.number))
      bytes.append(name.location)
    }
    if let file {
      bytes.appendInteger(file.device)
      bytes.appendInteger(file.inode)
      bytes.appendInteger(file.length)
      switch file.withheld {
      case .none: bytes.append(contentsOf: [0, 0, 0, 0, 0])
      case .unlessContinued(let source):
        bytes.append(1)
        bytes.appendInteger(source)
      case .always: bytes.append(contentsOf: [2, 0, 0, 0, 0])
      }
    }
    var room = SinkState.maximumByteCount - bytes.count - 1
    let kept = abandoned.suffix(255).reversed().prefix { file in
      room -= 20 + file.location.base.utf8.count + file.location.relative.utf8.count
      return room >= 0
    }
    bytes.append(UInt8(kept.count))
    for file in kept.reversed() {
      bytes.appendInteger(file.inode)
      bytes.appendInteger(file.length)
      bytes.append(file.location)
    }
    return SinkState(bytes)
  }

  /// The state that `bytes` hold.
  init(decoding bytes: [UInt8]) throws(DecodingError) {
    guard bytes.first == Self.version else { throw bytes.isEmpty ? .malformed : .newerVersion }
    guard let state = bytes.withUnsafeBytes({ Self(afterVersion: UnsafeRawBufferPointer(rebasing: $0[1...])) }) else { throw .malformed }
    self = state
  }

  private init?(afterVersion bytes: UnsafeRawBufferPointer) {
    var reader = ByteReader(bytes)
    guard let contents = reader.integer(UInt8.self), contents <= 2 else { return nil }
    var name: Name?
    if contents >= 1 {
      guard let time = reader.integer(Int64.self), let number = reader.integer(UInt64.self), let number = Int(exactly: number),
        let location = reader.location()
      else { return nil }
      name = Name(location: location, time: time, number: number)
    }
    var file: CommittedFile?
    if contents == 2 {
      guard let device = reader.integer(UInt64.self), let inode = reader.integer(UInt64.self), let length = reader.integer(Int64.self),
        length >= 0,
        let kind = reader.integer(UInt8.self), let source = reader.integer(UInt32.self)
      else { return nil }
      let withheld: WithheldLineFeed
      switch kind {
      case 0: withheld = .none
      case 1: withheld = .unlessContinued(by: source)
      case 2: withheld = .always
      default: return nil
      }
      file = CommittedFile(device: device, inode: inode, length: length, withheld: withheld)
    }
    guard let count = reader.integer(UInt8.self) else { return nil }
    var abandoned: [AbandonedFile] = []
    for _ in 0..<count {
      guard let inode = reader.integer(UInt64.self), let length = reader.integer(Int64.self), length >= 0, let location = reader.location()
      else {
        return nil
      }
      abandoned.append(AbandonedFile(location: location, inode: inode, length: length))
    }
    guard reader.isAtEnd else { return nil }
    self.init(name: name, file: file, abandoned: abandoned)
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ location: OutputLocation) {
    for path in [location.base, location.relative] {
      appendInteger(UInt16(path.utf8.count))
      append(contentsOf: path.utf8)
    }
  }
}

extension ByteReader {
  fileprivate mutating func location() -> OutputLocation? {
    func path(_ reader: inout ByteReader) -> String? {
      guard let count = reader.integer(UInt16.self), count > 0, var part = reader.part(Int(count)) else { return nil }
      return String(validating: part.rest(), as: UTF8.self)
    }
    guard let base = path(&self), let relative = path(&self), relative.split(separator: "/").last != nil else { return nil }
    return OutputLocation(base: base, relative: relative)
  }
}
