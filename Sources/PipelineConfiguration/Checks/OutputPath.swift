/// The rules of a file sink's path template, as far as they can be told from its text.
enum OutputPath {
  /// The conversions that stand for a part of the time, with how many digits they give.
  static let digits: [Character: Int] = ["Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2]

  /// What is wrong with `text`, or nil.
  static func problem(_ text: String) -> String? {
    let components = text.split(separator: "/")
    guard let first = components.first, let last = components.last, !text.hasSuffix("/"), last != "." else {
      return "names no file; add a name such as app-%Y-%m-%d.log"
    }
    guard !components.contains("..") else { return "a path can't hold '..'; write the directory out" }
    var characters = text.makeIterator()
    while let character = characters.next() {
      guard character == "%" else { continue }
      guard let letter = characters.next(), letter != "/" else { return "'%' stands alone; write %% for a percent sign" }
      guard letter == "%" || digits[letter] != nil else {
        return "'%\(String(letter).withoutControls)' is unknown; known are %Y, %m, %d, %H, %M, %S, and %% for a percent sign"
      }
    }
    guard !varies(first) else { return "the path's first part varies; begin with a fixed directory such as archive/, or with ./" }
    guard last.utf8.count <= 234 else { return "the file's name is longer than 234 bytes" }
    return nil
  }

  private static func varies(_ component: Substring) -> Bool {
    var characters = component.makeIterator()
    while let character = characters.next() {
      if character == "%", characters.next() != "%" { return true }
    }
    return false
  }
}
