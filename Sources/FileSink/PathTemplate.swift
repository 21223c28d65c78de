public import SystemPackage

/// Where a file sink's files go: a path with places for a time, and room for a number.
///
/// `archive/app-%Y-%m-%d.log.gz` gives `archive/app-2026-09-01.log.gz`, then `archive/app-2026-09-01.0001.log.gz`: the number stands
/// before the
/// extensions. Known are `%Y %m %d %H %M %S` and `%%`. The path begins with a fixed component, and nothing that varies but digits comes
/// after it, so no
/// expansion leaves ``fixedDirectory``.
public struct PathTemplate: Sendable, Hashable, CustomStringConvertible {
  /// The most bytes that an expansion may have: a sink's state, which holds paths, ends at 4 KiB.
  static let maximumPathBytes = 1024
  /// The most bytes of the file name without a number, so that a number always fits (`man 7 path_resolution`: 255 bytes).
  static let maximumNameBytes = 234

  /// The template as it was written.
  public let text: String
  /// The identifier of the time zone that times are shown in.
  public let timezone: String
  /// The directory above everything that varies; made when missing. `.` when the template names none.
  public let fixedDirectory: FilePath
  /// Whether the files are gzip files: the name ends with `.gz`.
  public let isCompressed: Bool
  let directories: [[Part]]
  /// The file name up to where the number goes.
  let stem: [Part]
  /// The extensions after the number, each with its full stop.
  let extensions: String
  private let zone: ZoneOffset

  /// Text, or a place for a part of the time.
  enum Part: Sendable, Hashable {
    case text(String)
    case year, month, day, hour, minute, second
  }

  /// Where an expansion leads: directories and a name below ``PathTemplate/fixedDirectory``.
  struct Place: Hashable {
    var directories: [String]
    var name: String
    var relativePath: String { (directories + [name]).joined(separator: "/") }
  }

  /// Checks `text`. Make it absolute first if the working directory may change between runs, or if templates are to be compared.
  public init(_ text: String, timezone: String = "UTC") throws(PathTemplateError) {
    guard let zone = ZoneOffset(timezone) else {
      throw PathTemplateError("unknown time zone '\(timezone.printable)'; expected a name such as UTC or Europe/Berlin")
    }
    guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
      throw PathTemplateError("the path '\(text.printable)' holds a control character; remove it")
    }
    let isAbsolute = text.hasPrefix("/")
    let written = text.split(separator: "/").map(String.init)
    guard let last = written.last, !text.hasSuffix("/"), last != "." else {
      throw PathTemplateError(
        "the path '\(text)' names no file; add a file name, such as \(text.hasSuffix("/") ? text : text + "/")app-%Y-%m-%d.log")
    }
    guard !written.contains("..") else {
      throw PathTemplateError("the path '\(text)' holds '..'; write the directory out, absolute if need be")
    }
    var components: [[Part]] = []
    for component in written { components.append(try Self.parts(of: component, in: text)) }
    guard !components[0].contains(where: \.varies) else {
      throw PathTemplateError(
        "the path '\(text)' begins with a part that varies; begin it with a fixed directory, such as \(isAbsolute ? "/var/log" : "./")\(text)"
      )
    }
    components.removeAll { $0 == [.text(".")] }
    let fixedCount = components.dropLast().prefix { !$0.contains(where: \.varies) }.count
    let fixed = components.prefix(fixedCount).map { Self.fill($0, CivilTime(secondsSince1970: 0)) }.joined(separator: "/")
    self.text = text
    self.timezone = timezone
    self.zone = zone
    fixedDirectory = FilePath(isAbsolute ? "/" + fixed : fixed.isEmpty ? "." : fixed)
    directories = Array(components[fixedCount..<components.count - 1])
    (stem, extensions) = Self.splitName(components[components.count - 1])
    isCompressed = extensions.hasSuffix(".gz")
    try checkLengths()
  }

  /// The template as it was written.
  public var description: String { text }

  /// The path for `time` (nanoseconds since 1970). `number` 0 gives the plain name, others stand in it with at least four digits.
  public func expand(time: Int64, number: Int = 0) -> FilePath {
    let place = place(time: time, number: number)
    return fixedDirectory == "." ? FilePath(place.relativePath) : fixedDirectory.appending(place.relativePath)
  }

  /// The same, below the fixed directory.
  func place(time: Int64, number: Int) -> Place {
    let second = time.flooredDivision(by: 1_000_000_000).0
    let civil = CivilTime(secondsSince1970: second + zone.seconds(at: second))
    let digits = String(number)
    let numbering = number == 0 ? "" : "." + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    return Place(directories: directories.map { Self.fill($0, civil) }, name: Self.fill(stem, civil) + numbering + extensions)
  }

  private static func parts(of component: String, in text: String) throws(PathTemplateError) -> [Part] {
    var parts: [Part] = []
    var literal = ""
    var characters = component.makeIterator()
    while let character = characters.next() {
      guard character == "%" else {
        literal.append(character)
        continue
      }
      guard let letter = characters.next() else {
        throw PathTemplateError("the path '\(text)' ends a part with '%'; write %% for a percent sign")
      }
      if letter == "%" {
        literal.append("%")
        continue
      }
      guard let field = Part(letter) else {
        throw PathTemplateError("the path '\(text)' holds '%\(letter)'; known are %Y, %m, %d, %H, %M, %S, and %% for a percent sign")
      }
      if !literal.isEmpty { parts.append(.text(literal)) }
      literal = ""
      parts.append(field)
    }
    if !literal.isEmpty { parts.append(.text(literal)) }
    return parts
  }

  /// Parts a name before its extensions: `.gz` if it is there, and before it one that is plain text with a letter in it (so no part of a
  /// date).
  private static func splitName(_ name: [Part]) -> (stem: [Part], extensions: String) {
    guard case .text(var rest) = name.last else { return (name, "") }
    var extensions = ""
    if rest.hasSuffix(".gz"), rest != ".gz" || name.count > 1 {
      extensions = ".gz"
      rest.removeLast(3)
    }
    if let dot = rest.lastIndex(of: "."), dot != rest.startIndex || name.count > 1, rest[dot...].contains(where: \.isLetter) {
      extensions = rest[dot...] + extensions
      rest = String(rest[..<dot])
    }
    return (name.dropLast() + (rest.isEmpty ? [] : [.text(rest)]), extensions)
  }

  private func checkLengths() throws(PathTemplateError) {
    let place = place(time: 0, number: 0)
    guard place.name.utf8.count <= Self.maximumNameBytes else {
      throw PathTemplateError("the file name in '\(text)' is longer than \(Self.maximumNameBytes) bytes; shorten it")
    }
    guard place.directories.allSatisfy({ $0.utf8.count <= 255 }) else {
      throw PathTemplateError("a directory's name in '\(text)' is longer than 255 bytes; shorten it")
    }
    guard fixedDirectory.string.utf8.count + place.relativePath.utf8.count < Self.maximumPathBytes else {
      throw PathTemplateError("the path '\(text)' is longer than \(Self.maximumPathBytes) bytes; shorten it")
    }
  }

  private static func fill(_ parts: [Part], _ time: CivilTime) -> String {
    var result = ""
    for part in parts {
      switch part {
      case .text(let text): result += text
      case .year: result.append(time.year, digits: 4)
      case .month: result.append(time.month, digits: 2)
      case .day: result.append(time.day, digits: 2)
      case .hour: result.append(time.hour, digits: 2)
      case .minute: result.append(time.minute, digits: 2)
      case .second: result.append(time.second, digits: 2)
      }
    }
    return result
  }
}

extension PathTemplate.Part {
  /// The field that a conversion letter stands for.
  init?(_ letter: Character) {
    switch letter {
    case "Y": self = .year
    case "m": self = .month
    case "d": self = .day
    case "H": self = .hour
    case "M": self = .minute
    case "S": self = .second
    default: return nil
    }
  }

  /// Whether it depends on the time.
  var varies: Bool {
    if case .text = self { return false }
    return true
  }
}

extension String {
  fileprivate mutating func append(_ value: Int64, digits: Int) {
    let text = String(value)
    append(String(repeating: "0", count: max(0, digits - text.utf8.count)))
    append(text)
  }

  /// Without control characters, for messages.
  var printable: String { String(String.UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 })) }
}
