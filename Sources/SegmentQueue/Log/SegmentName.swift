internal import RecordBlocks

/// A segment file's name: its first offset, and what state the file is in.
struct SegmentName: Hashable {
  enum State: String, Hashable {
    /// Immutable from the moment it bears this name.
    case sealed = ".gz"
    /// Being written, or to be sealed.
    case active = ".gz.active"
    /// Being made; means nothing until it is renamed.
    case temporary = ".gz.tmp"
  }

  let base: Offset
  let state: State

  var text: String { Self.digits(base) + state.rawValue }

  init(_ base: Offset, _ state: State) {
    self.base = base
    self.state = state
  }

  init?(_ text: String) {
    guard text.utf8.count > 20, text.utf8.prefix(20).allSatisfy({ (0x30...0x39).contains($0) }), let base = UInt64(text.prefix(20)),
      base <= Int64.max, let state = State(rawValue: String(text.dropFirst(20)))
    else { return nil }
    self.init(Offset(base), state)
  }

  /// Twenty digits: names sort as offsets do.
  static func digits(_ offset: Offset) -> String {
    let digits = String(offset.rawValue)
    return String(repeating: "0", count: 20 - digits.count) + digits
  }
}
