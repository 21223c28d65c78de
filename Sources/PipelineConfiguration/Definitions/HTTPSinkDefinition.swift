/// The keys of a sink of `type: http`.
public struct HTTPSinkDefinition: Sendable, Equatable {
  /// How a body holds its records.
  public enum Format: String, Sendable, CaseIterable {
    /// One a line.
    case lines
    /// One JSON array.
    case jsonArray = "json_array"
  }

  /// How a body travels.
  public enum Compression: String, Sendable, CaseIterable {
    /// As one gzip member.
    case gzip
    /// As it is.
    case none
  }

  /// What becomes of records that the destination can never take (a permanent 4xx).
  public enum OnReject: String, Sendable, CaseIterable {
    /// They go to the dead-letter queue.
    case deadLetter = "dead_letter"
    /// The sink waits until someone acts.
    case wait
    /// They are dropped, and counted.
    case drop
  }

  /// How much goes into one request.
  public struct Batch: Sendable, Equatable {
    /// At most this many records.
    public var maxRecords: Int
    /// At most this many bytes of lines, with their line feeds; one longer record goes alone.
    public var maxBytes: Int
    /// How long a smaller batch waits for more.
    public var linger: Duration

    /// Bounds of a request; the defaults are the pipeline file's.
    public init(maxRecords: Int = 5000, maxBytes: Int = 1 << 20, linger: Duration = .seconds(1)) {
      self.maxRecords = maxRecords
      self.maxBytes = maxBytes
      self.linger = linger
    }
  }

  /// How a failed request is tried again.
  public struct Retry: Sendable, Equatable {
    /// The first backoff is random up to this.
    public var initial: Duration
    /// No backoff is longer.
    public var max: Duration
    /// How often a batch is tried before `on_reject` applies; nil for ever.
    public var attempts: Int?

    /// A retry; the defaults are the pipeline file's.
    public init(initial: Duration = .seconds(1), max: Duration = .seconds(60), attempts: Int? = nil) {
      self.initial = initial
      self.max = max
      self.attempts = attempts
    }
  }

  /// A request header.
  public struct Header: Sendable, Equatable {
    /// The name as written; unique without regard to case.
    public var name: String
    /// The value; prints without what came from the environment or a file.
    public var value: SecretText

    /// A header.
    public init(name: String, value: SecretText) {
      self.name = name
      self.value = value
    }
  }

  /// `http://…` or `https://…`, without a fragment. Prints without user, password and query.
  public var url: SecretText
  /// What messages show of ``url`` when its path holds a file's content; nil when they may show scheme, host and path as they are.
  public var shownURL: String?
  /// How a body holds its records.
  public var format: Format
  /// How a body travels.
  public var compression: Compression
  /// How much goes into one request.
  public var batch: Batch
  /// Added to each request, in the file's order.
  public var headers: [Header]
  /// The longest a request may take, from its first byte to the end of the answer.
  public var timeout: Duration
  /// The longest that connecting may take.
  public var connectTimeout: Duration
  /// A PEM file with the certificate authorities that are trusted instead of the system's; nil for the system's. Only for `https`.
  public var certificateAuthorityFile: String?
  /// How a failed request is tried again.
  public var retry: Retry
  /// What becomes of records that can never be taken.
  public var onReject: OnReject

  /// An HTTP sink; the defaults are the pipeline file's.
  public init(
    url: SecretText, format: Format = .lines, compression: Compression = .gzip, batch: Batch = Batch(), headers: [Header] = [],
    timeout: Duration = .seconds(30), connectTimeout: Duration = .seconds(5), certificateAuthorityFile: String? = nil,
    retry: Retry = Retry(), onReject: OnReject = .deadLetter
  ) {
    self.url = url
    self.format = format
    self.compression = compression
    self.batch = batch
    self.headers = headers
    self.timeout = timeout
    self.connectTimeout = connectTimeout
    self.certificateAuthorityFile = certificateAuthorityFile
    self.retry = retry
    self.onReject = onReject
  }
}
