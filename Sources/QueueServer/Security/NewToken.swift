internal import Crypto

/// A token that was just made. It is nowhere but here: show it once.
public struct NewToken: Sendable {
  /// What its bearer sends: `Authorization: Bearer sluice_…`. The beginning lets scanners for secrets find it.
  public let token: String
  /// Its line in the file of tokens, without line feed: name, scopes and digest.
  public let line: String

  /// Makes a token of 256 random bits; `name` and `grants` must have been checked by ``problem(name:grants:)``.
  public init(name: String, grants: [Grant]) {
    precondition(Self.problem(name: name, grants: grants) == nil)
    let random = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
    self.init(name: name, grants: grants, random: random)
  }

  init(name: String, grants: [Grant], random: [UInt8]) {
    token = "sluice_" + Self.base64URL(random)
    let digest = SHA256.hash(data: Array(token.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    line = "\(name) \(grants.map(\.description).joined(separator: ",")) sha256:\(digest)"
  }

  /// What is wrong with a name or with the scopes, or nil.
  public static func problem(name: String, grants: [Grant]) -> String? {
    guard isName(name) else { return "a token's name has 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit" }
    return grants.isEmpty ? "a token without a scope can do nothing; add --scope read@QUEUE" : nil
  }

  /// Adds its line to a file, which is made (mode 0600) when missing; on the disk on return. Blocking.
  ///
  /// Order: lock, check the file with the line added, write with one call, sync, then sync the directory when the file was made. What stood
  /// in the file isn't touched; after a failed write the line may stand there in part, which the next reading names.
  public func append(to path: String) throws(TokenFileError) {
    try TokenFile.append(line, to: path)
  }

  /// RFC 4648, section 5, without padding.
  private static func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var result: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 6 {
        count -= 6
        result.append(alphabet[Int(bits >> UInt32(count)) & 63])
      }
    }
    if count > 0 { result.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
    return String(decoding: result, as: UTF8.self)
  }
}
