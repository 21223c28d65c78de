/// Every key of a pipeline file, by the section that it stands in: what unknown keys are compared with, and what the reference has to
/// explain.
enum Schema {
  static let root = ["queue", "sources", "sinks", "consumers", "server"]
  static let queue = ["name", "path", "max_size", "min_free_disk", "overflow", "sync", "linger", "retention"]
  static let retention = ["keep", "max_age", "consumer_expiry"]

  static let source = ["type", "when_full"]
  static let sources: [String: [String]] = [
    "file": ["paths", "exclude", "start_at", "format", "max_line", "multiline", "idle_flush", "max_open_files", "rescan"],
    "syslog": ["listen", "format", "receive_buffer", "utc_offset"],
    "stdin": ["max_line"],
    "jetstream": nats + ["stream", "subjects", "share"],
  ]
  static let nats = ["servers", "credentials", "token", "user", "password", "tls", "timeout", "connect_timeout"]
  static let natsTLS = ["ca", "certificate", "key"]
  static let share = ["index", "of"]
  static let multiline = ["start", "timeout"]

  static let sink = ["type", "pull", "start_at", "hold"]
  static let sinks: [String: [String]] = [
    "file": ["path", "timezone", "rotate", "gaps"],
    "http": ["url", "format", "compression", "batch", "headers", "timeout", "connect_timeout", "tls", "retry", "on_reject"],
    "stdout": ["gaps"],
    "jetstream": nats + ["stream", "subject", "replicas", "max_age", "max_bytes", "overflow", "linger"],
  ]
  static let pull = ["every", "rate", "window", "timezone"]
  static let rotate = ["size", "max_files"]
  static let batch = ["max_records", "max_bytes", "linger"]
  static let tls = ["ca"]
  static let retry = ["initial", "max", "attempts"]

  static let consumer = ["mode", "max_deliveries", "start_at", "hold"]

  static let server = ["listen", "tokens", "tls", "insecure", "limits"]
  static let serverTLS = ["certificate", "key", "client_ca"]
  static let serverLimits = [
    "max_connections", "max_headers", "max_header_bytes", "handshake_timeout", "header_timeout", "idle_timeout", "body_timeout",
    "response_timeout", "min_progress", "requests_per_second",
  ]

  /// The kinds in a stable order.
  static let sourceTypes = ["file", "syslog", "stdin", "jetstream"]
  static let sinkTypes = ["file", "http", "stdout", "jetstream"]

  /// All keys.
  static let allKeys = Set(
    root + queue + retention + source + sources.values.joined() + multiline + sink + sinks.values.joined() + pull + rotate + batch + tls
      + retry
      + consumer + server + serverTLS + serverLimits + natsTLS + share)
}
