/// The file of access tokens: one a line, `NAME SCOPES sha256:HEX`; SCOPES are grants with commas between them, and `#` begins a comment.
public enum TokenFile {
  /// Some ten thousand tokens.
  static let maximumBytes = 1 << 20
  /// More are not told: it is no file of tokens.
  static let maximumProblems = 20

  /// Reads and checks a file. Blocking.
  static func read(_ path: String) throws(TokenFileError) -> TokenTable {
    try table(of: contents(path), file: path)
  }

  /// What is wrong with who may read and write an open file, or nil.
  static func problem(ofMode mode: UInt32, path: String) -> String? {
    let octal = String(mode & 0o7777, radix: 8)
    let shown = String(repeating: "0", count: max(0, 4 - octal.count)) + octal
    let who: String
    if mode & 0o006 != 0 {
      who = "others may \(mode & 0o004 != 0 ? "read" : "write") it"
    } else if mode & 0o020 != 0 {
      who = "its group may write it"
    } else {
      return nil
    }
    return "\(who) (mode \(shown)), and who can, can get in; run 'chmod 600 \(path)', or 640 when a group has to read it"
  }

  private static func contents(_ path: String) throws(TokenFileError) -> [UInt8] {
    do throws(OperatorFile.Problem) {
      return try OperatorFile.read(path, limit: maximumBytes) { problem(ofMode: $0, path: path) }
    } catch {
      let remedy = error.isMissing ? "; 'sluice token NAME --scope read@QUEUE --append \(path)' makes it" : ""
      throw TokenFileError(file: path, error.sentence + remedy)
    }
  }

  // MARK: - Lines

  /// The tokens that `bytes` tell; throws all mistakes, up to ``maximumProblems``.
  static func table(of bytes: [UInt8], file: String) throws(TokenFileError) -> TokenTable {
    var table = TokenTable()
    var problems: [TokenFileError.Problem] = []
    var namedIn: [String: Int] = [:]
    var digestIn: [[UInt8]: Int] = [:]
    for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      guard problems.count < maximumProblems else { break }
      let number = index + 1
      func report(_ field: ArraySlice<UInt8>, _ message: String) {
        problems.append(.init(line: number, column: field.startIndex - line.startIndex + 1, message: message))
      }
      let fields = Self.fields(of: line)
      guard let first = fields.first else { continue }
      guard fields.count == 3 else {
        report(first, "expected NAME SCOPES sha256:HEX, got \(counted(fields.count, "field")); \(Self.maker)")
        continue
      }
      let before = problems.count
      let name = text(fields[0])
      if !isName(name) {
        report(fields[0], "expected a name of a-z, 0-9, '.', '_' and '-', at most 64 long, got \(quoted(name))")
      } else if let earlier = namedIn[name] {
        report(fields[0], "the name '\(name)' is taken in line \(earlier); give each token its own, so that logs tell them apart")
      }
      namedIn[name] = namedIn[name] ?? number
      let grants = fields[1].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).compactMap { part -> Grant? in
        let grant = Grant(text(part))
        if grant == nil { report(part, "expected \(Grant.expected), got \(quoted(text(part)))") }
        return grant
      }
      if let digest = digest(of: fields[2]) {
        if let earlier = digestIn[digest] { report(fields[2], "the same token stands in line \(earlier); remove one of the lines") }
        digestIn[digest] = digestIn[digest] ?? number
        if problems.count == before { table.add(.init(name: name, grants: grants), digest: digest) }
      } else {
        // What stands here may be the token itself: it isn't shown.
        report(fields[2], "expected sha256: and 64 hexadecimal digits, the digest of the token and not the token; \(Self.maker)")
      }
    }
    guard problems.isEmpty else { throw TokenFileError(file: file, problems: Array(problems.prefix(maximumProblems))) }
    return table
  }

  private static let maker = "'sluice token NAME --scope read@QUEUE' makes a token and its line"

  /// What stands between blanks, up to a field that begins with `#`.
  private static func fields(of line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    let all = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    return Array(all.prefix { $0.first != UInt8(ascii: "#") })
  }

  private static func digest(of field: ArraySlice<UInt8>) -> [UInt8]? {
    let prefix = Array("sha256:".utf8)
    let digits = field.dropFirst(prefix.count)
    guard field.starts(with: prefix), digits.count == 2 * TokenTable.digestBytes else { return nil }
    var bytes: [UInt8] = []
    for (index, digit) in digits.enumerated() {
      let value: UInt8
      switch digit {
      case 0x30...0x39: value = digit - 0x30
      case 0x41...0x46: value = digit - 0x41 + 10
      case 0x61...0x66: value = digit - 0x61 + 10
      default: return nil
      }
      if index % 2 == 0 { bytes.append(value << 4) } else { bytes[index / 2] |= value }
    }
    return bytes
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

  /// In quotes, cut after 60 characters. Controls are escaped where it is printed.
  private static func quoted(_ text: String) -> String { text.count > 60 ? "'\(text.prefix(60))…'" : "'\(text)'" }

  private static func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "one \(noun)" : "\(count) \(noun)s" }
}
