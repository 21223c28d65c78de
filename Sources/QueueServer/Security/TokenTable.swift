internal import Crypto

/// The tokens of one file, by their digests.
///
/// What is kept is SHA-256, plain: no salt and no slow hash. Those protect what people choose, which can be guessed; a token is 256 random
/// bits, and who has its digest has 2^255 guesses before them on average, whatever one guess costs. So a check may cost a microsecond.
struct TokenTable: Sendable, Equatable {
  /// Who may do what.
  struct Bearer: Sendable, Equatable {
    var name: String
    var grants: [Grant]
  }

  static let digestBytes = 32
  /// A longer text is no token of ours: it isn't hashed.
  static let maximumTokenBytes = 256

  private(set) var bearers: [Bearer] = []
  /// The digests of ``bearers``, one behind the other.
  private var digests: [UInt8] = []

  /// Adds a token by its digest.
  mutating func add(_ bearer: Bearer, digest: [UInt8]) {
    precondition(digest.count == Self.digestBytes)
    bearers.append(bearer)
    digests += digest
  }

  /// Whose token it is. Looks at all bytes of all digests, whether and where one is equal: how long it takes tells nothing.
  func bearer(of token: Substring) -> Bearer? {
    guard token.utf8.count <= Self.maximumTokenBytes else { return nil }
    let digest = Array(SHA256.hash(data: Array(token.utf8)))
    var found = 0
    for index in bearers.indices {
      var difference: UInt8 = 0
      for byte in 0..<Self.digestBytes { difference |= digests[index * Self.digestBytes + byte] ^ digest[byte] }
      // All ones when nothing differs, else zero; no digest stands in a file twice.
      let mask = (Int(difference) - 1) >> 63
      found |= (index + 1) & mask
    }
    return found == 0 ? nil : bearers[found - 1]
  }
}
