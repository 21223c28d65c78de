internal import CLinux
internal import Glibc
internal import SystemPackage

extension TailEngine {
  /// Compares a file with a stream's checkpoint; nil when the file can't be read.
  func resumeDecision(_ stream: TailedStream, _ file: FoundFile) -> ResumeDecision? {
    guard let facts = facts(stream, file) else { return nil }
    return ResumeDecision.decide(facts, position: stream.place.position, headLength: stream.identity.headLength)
  }

  private func facts(_ stream: TailedStream, _ file: FoundFile) -> FileFacts? {
    let identity = stream.identity
    let sameBoot = stream.isMet || stream.place.boot.isSame(as: boot)
    do throws(Errno) {
      let input = try InputFile(file.path)
      var facts = try input.facts(identity, stream.place, size: file.size)
      facts.sameInode = file.inode == identity.inode && (file.device == identity.device || !sameBoot)
      facts.samePath = file.path == identity.path
      facts.isRotationOfPath =
        file.path.parentDirectory == identity.path.parentDirectory
        && RotationName.isRotation(file.path.lastNameBytes, of: identity.path.lastNameBytes)
      facts.sameBoot = sameBoot
      return facts
    } catch {
      fail(file.path, error)
      undetermined.insert(file.key)
      return nil
    }
  }

  /// Tells of a path that can't be read, and notes when it is for want of descriptors or memory.
  func fail(_ path: FilePath, _ code: Errno) {
    log.failure(path, code)
    if code.isForWantOfResources { isShortOfResources = true }
  }

  /// Notes what a new file begins with, and tells the output of it: rotated away before anything of it was read, while nobody looked, it
  /// can still be found.
  func introduce(_ stream: TailedStream, _ input: InputFile) throws(Errno) {
    let head = try head(input, StreamIdentity.maximumHeadLength)
    stream.identity.headHash = ContentHash(head)
    stream.identity.headLength = head.count
    save(stream)
  }

  /// Takes a stream as delivered up to `end` of a file that holds the beginning of its content and nothing that wasn't delivered.
  func settle(_ stream: TailedStream, in input: InputFile, at end: UInt64) throws(Errno) {
    var last: UInt8 = 0x0A
    if end > 0 { _ = try withUnsafeMutableBytes(of: &last) { byte throws(Errno) in try input.read(into: byte, at: end - 1) } }
    let length = Int(min(end, UInt64(StreamPlace.maximumMarkerLength)))
    stream.place.position = end
    stream.place.markerLength = length
    stream.place.markerHash = try input.loadMarker(before: end, length: length) ?? ContentHash([])
    stream.place.isUnended = last != 0x0A
    let head = try head(input, Int(min(end, UInt64(StreamIdentity.maximumHeadLength))))
    stream.identity.headHash = ContentHash(head)
    stream.identity.headLength = head.count
    stream.headBytes = stream.identity.hasFullHead ? nil : head
    stream.scanned = end
    stream.readEnd = end
    save(stream)
  }

  /// The position of the last line that begins at `end` or before it.
  func startOfLastLine(_ input: InputFile, before end: UInt64) throws(Errno) -> UInt64 {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    defer { buffer.deallocate() }
    var position = end
    while position > 0 {
      let count = Int(min(position, UInt64(buffer.count)))
      let got = try input.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: position - UInt64(count))
      if got > 0, let feed = linux_memrchr(buffer.baseAddress!, 0x0A, got) {
        return position - UInt64(count) + UInt64(feed - UnsafeRawPointer(buffer.baseAddress!)) + 1
      }
      position -= UInt64(count)
      // A line over the limit would have been split; its pieces aren't looked for.
      if end - position > UInt64(configuration.maxLineBytes) { return end }
    }
    return 0
  }

  /// How many line feeds stand in a part of a file.
  func countLines(_ input: InputFile, from start: UInt64, to end: UInt64) throws(Errno) -> Int {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
    defer { buffer.deallocate() }
    var position = start
    var lines = 0
    while position < end {
      let count = Int(min(end - position, UInt64(buffer.count)))
      let got = try input.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: position)
      if got == 0 { break }
      lines += linux_count_byte(buffer.baseAddress!, got, 0x0A)
      position += UInt64(got)
    }
    return lines
  }
}

extension InputFile {
  /// How the file's content compares with a stream's. A compressed file's marker isn't looked at: that means inflating all before it,
  /// which is done once it is read.
  func facts(_ identity: StreamIdentity, _ place: StreamPlace, size: UInt64) throws(Errno) -> FileFacts {
    var head = FileFacts.Head.same
    if identity.headLength > 0 {
      let hash = try headHash(length: identity.headLength)
      // A compressed file that is complete and still too short is another; an incomplete one may become longer.
      let withoutHash = gzip?.ending == .complete ? FileFacts.Head.different : .tooShort
      head = hash.map { $0 == identity.headHash ? .same : .different } ?? withoutHash
    }
    guard gzip == nil else { return FileFacts(head: head) }
    let isLongEnough = size >= place.position
    var markerMatches: Bool?
    if head == .same, isLongEnough, place.markerLength > 0 {
      markerMatches = try loadMarker(before: place.position, length: place.markerLength) == place.markerHash
    }
    return FileFacts(head: head, isLongEnough: isLongEnough, markerMatches: markerMatches)
  }

  /// Whether the file is shorter than the stream's head, as far as that is in memory, and all of it is the head's beginning.
  func isBeginning(of stream: TailedStream) -> Bool {
    guard let head = stream.headBytes, head.count > 1 else { return false }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: head.count, alignment: 8)
    defer { buffer.deallocate() }
    guard let got = try? read(into: buffer, at: 0), got > 0, got < head.count else { return false }
    return head.starts(with: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
  }
}

extension Errno {
  /// The process or the machine has too little of something just now; the same may succeed a moment later.
  var isForWantOfResources: Bool { self == .tooManyOpenFiles || self == .tooManyOpenFilesInSystem || self == .noMemory }
}
