internal import DurableFiles
internal import RecordBlocks
internal import SystemPackage

/// A segment as the queue sees it: where its bytes are and how far they are good. Readers keep their own open file, so a seal or an
/// unlink never disturbs them.
final class Segment: Sendable {
  struct State {
    var name: SegmentName
    /// The bytes of sound blocks (for the active segment: the durable ones).
    var byteCount: Int64
    /// The offset after the last one in it; for the active segment the durable end.
    var end: Offset
    /// To be written anew when it is sealed: small blocks, a failed sync, or damage.
    var needsRepack: Bool
    /// Open for the writer, or for readers once one has asked.
    var file: (any File)?
    /// Its first header: counters and age at its beginning.
    var firstHeader: BlockHeader?
    /// The age of its newest record, once someone has asked.
    var newestAge: UInt64?
  }

  let base: Offset
  private let state: Monitor<State>

  init(_ state: State) {
    base = state.name.base
    self.state = Monitor(state)
  }

  var end: Offset { state.withLock { $0.end } }
  var byteCount: Int64 { state.withLock { $0.byteCount } }
  var isSealed: Bool { state.withLock { $0.name.state == .sealed } }
  var name: SegmentName { state.withLock { $0.name } }
  var needsRepack: Bool { state.withLock { $0.needsRepack } }

  func update(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

  /// The file, opened when it isn't yet, and how far it is good.
  func open(in directory: any Directory) throws(FileError) -> (file: any File, byteCount: Int64, end: Offset) {
    let known = state.withLock { ($0.file, $0.byteCount, $0.end, $0.name) }
    if let file = known.0 { return (file, known.1, known.2) }
    // A seal may rename it in this very moment: then it bears the sealed name.
    let file: any File
    do { file = try directory.open(known.3.text, .read) } catch {
      guard error.code == .noSuchFileOrDirectory else { throw error }
      file = try directory.open(SegmentName(base, .sealed).text, .read)
    }
    return (file, known.1, known.2)
  }

  /// The header of its first block: counters and age at its beginning.
  func header(in directory: any Directory, queueID: QueueID) throws(FileError) -> BlockHeader? {
    if let known = state.withLock({ $0.firstHeader }) { return known }
    let (file, byteCount, _) = try open(in: directory)
    var scanner = BlockScanner(file, queueID: queueID, range: 0..<byteCount, expecting: base, headersOnly: true)
    guard case .header(let header, _)? = try scanner.next() else { return nil }
    state.withLock { $0.firstHeader = header }
    return header
  }

  /// How old the queue was when its newest record was written; nil when no header can be read. Hops over all headers once; for sealed ones.
  func newestAge(in directory: any Directory, queueID: QueueID) throws(FileError) -> UInt64? {
    if let known = state.withLock({ $0.newestAge }) { return known }
    let (file, byteCount, end) = try open(in: directory)
    var scanner = BlockScanner(file, queueID: queueID, range: 0..<byteCount, expecting: base, headersOnly: true)
    var newest: UInt64?
    while let item = try scanner.next() {
      guard case .header(let header, _) = item, header.offsetCount > 0, header.base < end else { continue }
      newest = max(newest ?? 0, header.openAge)
    }
    state.withLock { $0.newestAge = newest }
    return newest
  }
}
