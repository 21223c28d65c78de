/// How rotation names files: what it puts into a name.
enum RotationName {
  /// Whether `name` is `original` after a rotation: `app.log` → `app.log.1`, `app.log-20260901`, `app-20260901.log`, `app.log.1.gz`.
  /// A compressed file may be further rotations on (`app.log.1` → `app.log.3.gz`); a plain one may not, since `worker-2.log` is
  /// nothing of `worker-1.log`, and a plain file that is only renamed keeps its inode anyway.
  static func isRotation(_ name: [UInt8], of original: [UInt8]) -> Bool {
    if name == original { return false }
    let earlier = earlierNames(of: name)
    if earlier.contains(original) { return true }
    guard isGzip(name), let oldest = earlier.last else { return false }
    return oldest == (earlierNames(of: original).last ?? original)
  }

  /// The name says that the file is compressed.
  static func isGzip(_ name: [UInt8]) -> Bool { name.count > gzip.count && name.suffix(gzip.count).elementsEqual(gzip) }

  /// What a name may have been before each rotation: `app.log.2.gz` → `app.log.2`, `app.log`; `app-20260901.log` → `app.log`.
  static func earlierNames(of name: [UInt8]) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var current = name[...]
    if isGzip(name) {
      current = current.dropLast(gzip.count)
      names.append(Array(current))
    }
    while let shorter = droppingNumber(current) {
      current = shorter
      names.append(Array(current))
    }
    if let dot = current.lastIndex(of: UInt8(ascii: ".")), dot > current.startIndex, var stem = droppingNumber(current[..<dot]) {
      while let shorter = droppingNumber(stem) { stem = shorter }
      names.append(Array(stem) + current[dot...])
    }
    return names
  }

  private static let gzip = Array(".gz".utf8)
  private static let separators = Array(".-_".utf8)

  /// The name without a number and its separator at the end; nil when it has none.
  private static func droppingNumber(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var cut = name
    while let last = cut.last, last >= 0x30, last <= 0x39 { cut = cut.dropLast() }
    guard cut.count < name.count, cut.count > 1, let separator = cut.last, separators.contains(separator) else { return nil }
    return cut.dropLast()
  }
}
