extension HTTPSink {
  /// What an HTTP sink is told. Nothing here is checked before ``HTTPSink/init(_:name:logger:)``.
  public struct Configuration: Sendable {
    /// How the records of a request's body are written.
    public enum Format: String, Sendable, Hashable, CaseIterable {
      /// The records as they are, each with a line feed; `Content-Type: text/plain; charset=utf-8`.
      case lines
      /// One JSON array; `Content-Type: application/json`. A record that is itself a JSON value is an element as it stands, any other
      /// becomes a string.
      case jsonArray = "json_array"
    }

    /// Whether a body travels compressed.
    public enum Compression: String, Sendable, Hashable, CaseIterable {
      /// One gzip member, `Content-Encoding: gzip`; for lines put together from the stored blocks without compressing again.
      case gzip
      /// As it is.
      case none
    }

    /// A header of every request. Its value may be a secret, so it shows in no description, log text or error.
    public struct Header: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
      /// The field's name.
      public var name: String
      /// The field's value.
      public var value: String

      /// The header `name: value`.
      public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
      }

      /// The name only.
      public var description: String { "\(name): ***" }
      /// The name only.
      public var debugDescription: String { description }
      /// The name only.
      public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
    }

    /// Where requests go: `http` or `https`. A user and password in it become an `Authorization: Basic` header.
    public var url: String
    /// What is told of `url` instead of it, when a part of its path is a secret; nil to tell scheme, host and path. User, password and
    /// query are left out of either.
    public var shownURL: String?
    /// See ``Format``.
    public var format = Format.lines
    /// See ``Compression-swift.enum``.
    public var compression = Compression.gzip
    /// Sent with every request; they replace `Content-Type`, `User-Agent` and `Host`. Those that frame the body or name the range are the
    /// sink's own.
    public var headers: [Header] = []
    /// From the start of a request (connecting included) to the end of its answer.
    public var timeout = Duration.seconds(30)
    /// For the connection alone, TLS included.
    public var connectTimeout = Duration.seconds(5)
    /// Path of a PEM file with the certificates that are trusted **instead of** the system's; nil for the system's.
    public var certificateAuthorityPath: String?
    /// How much of an answer's body is kept, to be quoted in an error.
    public var keptAnswerBytes = 64 << 10
    /// How much of an answer's body is read so that the connection can be used again; a longer one costs the connection.
    public var maximumAnswerBytes = 1 << 20
    /// The `User-Agent`.
    public var userAgent = "sluice"

    /// The defaults, for `url`.
    public init(url: String) { self.url = url }
  }

  /// A configuration that can't work.
  public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The key of the pipeline file that it is about: `url`, `headers`, `timeout`, `connect_timeout`.
    public let key: String
    /// What is wrong and what was expected, without secrets.
    public let message: String
    /// Key and message.
    public var description: String { "\(key): \(message)" }
  }
}

extension HTTPSink.Configuration {
  /// Headers that say how the body is framed, or which range it is.
  private static let reserved: Set<String> = [
    "content-length", "transfer-encoding", "content-encoding", "connection", "expect", "te", "trailer", "upgrade", "idempotency-key",
    "sluice-first-offset", "sluice-next-offset", "sluice-replaced-records",
  ]

  /// Finds what can't work, before anything is opened.
  func check() throws(HTTPSink.ConfigurationError) {
    guard timeout > .zero else { throw .init(key: "timeout", message: "must be longer than nothing, such as 30s") }
    guard connectTimeout > .zero else { throw .init(key: "connect_timeout", message: "must be longer than nothing, such as 5s") }
    var names: Set<String> = []
    for header in headers {
      let shown = Text.printable(header.name)
      guard !header.name.isEmpty, header.name.utf8.allSatisfy(Self.isTokenByte) else {
        throw .init(key: "headers", message: "'\(shown)' is not a header name: letters, digits and -_.!#$%&'*+^`|~ are")
      }
      guard !Self.reserved.contains(header.name.lowercased()) else {
        throw .init(key: "headers", message: "'\(shown)' is set by the sink itself; remove it")
      }
      guard names.insert(header.name.lowercased()).inserted else {
        throw .init(key: "headers", message: "'\(shown)' stands there twice; header names don't differ by case")
      }
      guard header.value.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
        throw .init(
          key: "headers",
          message: "the value of '\(shown)' has a line break or another control character, which no header may have; remove it")
      }
    }
  }

  /// RFC 9110, section 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
