/// How a NATS cluster is reached: the keys that sinks and sources of `type: jetstream` share.
public struct NATSDefinition: Sendable, Equatable {
  /// The files of TLS, all PEM.
  public struct TLS: Sendable, Equatable {
    /// Authorities that are trusted instead of the system's; nil for the system's.
    public var authorityFile: String?
    /// The client's certificate; nil for none.
    public var certificateFile: String?
    /// Its private key; given exactly when the certificate is.
    public var keyFile: String?

    /// Files of TLS; the defaults are the pipeline file's.
    public init(authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
      self.authorityFile = authorityFile
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  /// `nats://…` or `tls://…`, at least one. Print without user and password.
  public var servers: [SecretText]
  /// A credentials file, as `nsc` makes it.
  public var credentialsFile: String?
  /// A token.
  public var token: SecretText?
  /// A user; given exactly when ``password`` is.
  public var user: SecretText?
  /// The user's password.
  public var password: SecretText?
  /// TLS; nil without the section.
  public var tls: TLS?
  /// The longest that one request may take.
  public var timeout: Duration
  /// The longest that connecting to one server may take.
  public var connectTimeout: Duration

  /// A cluster; the defaults are the pipeline file's.
  public init(
    servers: [SecretText], credentialsFile: String? = nil, token: SecretText? = nil, user: SecretText? = nil, password: SecretText? = nil,
    tls: TLS? = nil, timeout: Duration = .seconds(5), connectTimeout: Duration = .milliseconds(1500)
  ) {
    self.servers = servers
    self.credentialsFile = credentialsFile
    self.token = token
    self.user = user
    self.password = password
    self.tls = tls
    self.timeout = timeout
    self.connectTimeout = connectTimeout
  }
}

/// The keys of a sink of `type: jetstream`.
public struct JetStreamSinkDefinition: Sendable, Equatable {
  /// What the stream does at its `max_bytes`.
  public enum Overflow: String, Sendable, CaseIterable {
    /// It takes no more.
    case wait
    /// It deletes its oldest messages.
    case dropOldest = "drop_oldest"
  }

  /// The cluster.
  public var nats: NATSDefinition
  /// The stream's name.
  public var stream: String
  /// The subject that the records are published on.
  public var subject: String
  /// On how many servers each message stands.
  public var replicas: Int
  /// Older messages go; nil for what the stream has, or never.
  public var maxAge: Duration?
  /// The most bytes; nil for what the stream has, or no bound.
  public var maxBytes: Int?
  /// What happens then; nil for what the stream has, or ``Overflow/wait``.
  public var overflow: Overflow?
  /// How long a message that isn't full waits for more records.
  public var linger: Duration

  /// A sink; the defaults are the pipeline file's.
  public init(
    nats: NATSDefinition, stream: String, subject: String, replicas: Int = 3, maxAge: Duration? = nil, maxBytes: Int? = nil,
    overflow: Overflow? = nil, linger: Duration = .zero
  ) {
    self.nats = nats
    self.stream = stream
    self.subject = subject
    self.replicas = replicas
    self.maxAge = maxAge
    self.maxBytes = maxBytes
    self.overflow = overflow
    self.linger = linger
  }
}

/// The keys of a source of `type: jetstream`.
public struct JetStreamSourceDefinition: Sendable, Equatable {
  /// The part of the subjects that a host takes.
  public struct Share: Sendable, Equatable {
    /// Which host this is, from 0 on.
    public var index: Int
    /// Of how many.
    public var count: Int

    /// Share `index` of `count`; all of it by default.
    public init(index: Int = 0, count: Int = 1) {
      self.index = index
      self.count = count
    }
  }

  /// The cluster.
  public var nats: NATSDefinition
  /// The stream's name.
  public var stream: String
  /// Subjects, with NATS's wildcards.
  public var subjects: [String]
  /// Which of them this host takes.
  public var share: Share

  /// A source; the defaults are the pipeline file's.
  public init(nats: NATSDefinition, stream: String, subjects: [String] = [">"], share: Share = Share()) {
    self.nats = nats
    self.stream = stream
    self.subjects = subjects
    self.share = share
  }
}
