extension YAMLText {
  /// Why the text must not be given to the YAML composer, or nil.
  ///
  /// The composer hashes each mapping's keys to find duplicates. A key that is itself a collection is hashed with everything in it:
  /// aliases in keys make
  /// that exponential in the text's length, and keys nested in keys quadratic. A pipeline file has neither, so a text with more than a
  /// few of what could
  /// be one is refused here, by looks alone: quotes and comments aren't understood, so a hostile text can't hide behind them, and the
  /// bounds are such
  /// that no honest one meets them.
  func hazard() -> Flaw? {
    var aliases = 0
    var firstAnchor: (line: Int, column: Int)?
    var collectionKeys = 0
    var firstCollectionKey: (line: Int, column: Int)?
    var line = 1
    var column = 0
    var previous: UInt8 = 0x0A
    var lastOnLine: UInt8 = 0x0A  // the last byte of this line that is no blank
    let bytes = Array(string.utf8)
    // Each of the composer's nodes costs a few hundred bytes of memory, and each but the first needs one of these or half of one.
    let separators = bytes.count {
      $0 == UInt8(ascii: ",") || $0 == 0x0A || $0 == 0x0D || $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{")
    }
    if separators > Self.maximumSeparators { return Flaw(line: 1, column: 1, message: "more values than a pipeline file can have") }
    for (index, byte) in bytes.enumerated() {
      if byte & 0xC0 != 0x80 { column += 1 }
      let follows = index + 1 < bytes.count ? bytes[index + 1] : 0x0A
      let beginsNode = Self.isBlank(previous) || Self.isFlowIndicator(previous)
      switch byte {
      case UInt8(ascii: "&") where beginsNode && !Self.isBlank(follows):
        if firstAnchor == nil { firstAnchor = (line, column) }
        collectionKeys += 1
      case UInt8(ascii: "*") where beginsNode && !Self.isBlank(follows): aliases += 1
      // An anchor or a tag may end like a key with its colon, so each counts, whatever comes after it.
      case UInt8(ascii: "!") where beginsNode, UInt8(ascii: "?") where beginsNode && Self.isBlank(follows),
        UInt8(ascii: "{") where beginsNode && !Self.beginsValue(lastOnLine),
        UInt8(ascii: "[") where beginsNode && !Self.beginsValue(lastOnLine):
        collectionKeys += 1
        if firstCollectionKey == nil { firstCollectionKey = (line, column) }
      default: break
      }
      previous = byte
      if byte == 0x0A || byte == 0x0D {
        lastOnLine = 0x0A
        column = 0
        if byte == 0x0A { line += 1 }
      } else if !Self.isBlank(byte) {
        lastOnLine = byte
      }
    }
    if let firstAnchor, aliases > 8 { return Flaw(line: firstAnchor.line, column: firstAnchor.column, message: Self.anchorMessage) }
    // 8 MiB of keys hash in about a second.
    if let first = firstCollectionKey ?? firstAnchor, collectionKeys > 8, collectionKeys * bytes.count > 8 << 20 {
      return Flaw(line: first.line, column: first.column, message: "nested too deeply for a pipeline file")
    }
    return nil
  }

  /// A file of 40,000 lines is loaded, or refused, in half a second and some 50 MiB.
  private static let maximumSeparators = 40_000

  /// What is said of `&anchor` and `*alias`.
  static let anchorMessage =
    "anchors and aliases (&name, *name) can't stand in a pipeline file; write the value out, or in quotes if it begins with & or *"

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
  private static func isFlowIndicator(_ byte: UInt8) -> Bool { "[]{},".utf8.contains(byte) }
  /// Whether a collection that follows on the line is a key's or a list's value.
  private static func beginsValue(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ":") || byte == UInt8(ascii: "-") }
}
