extension PipelineReader {
  /// Headers that the sink or its connection sets.
  private static let reservedHeaders = [
    "connection", "content-encoding", "content-length", "expect", "idempotency-key", "keep-alive", "sluice-first-offset",
    "sluice-next-offset",
    "sluice-replaced-records", "te", "trailer", "transfer-encoding", "upgrade",
  ]

  /// The keys of `type: http`.
  func readHTTPSink(_ section: Section) -> HTTPSinkDefinition? {
    section.require("url", example: "https://collector.example/ingest")
    let url = readURL(section)
    var sink = HTTPSinkDefinition(url: url ?? SecretText(""))
    // What was substituted stands between angle brackets, which no URL has.
    if let shown = url.map({ HTTPURL.withoutRedactions($0.description) }), shown.contains("<") { sink.shownURL = shown }
    sink.format = section.value("format", .choice) ?? sink.format
    sink.compression = section.value("compression", .choice) ?? sink.compression
    if let batch = section.section("batch", example: "{ max_records: 5000, max_bytes: 1MiB }") { readBatch(batch, into: &sink.batch) }
    if let headers = section.section("headers", example: #"{ Authorization: "Bearer ${file:PATH}" }"#) {
      sink.headers = readHeaders(headers)
    }
    let anHour = Duration.seconds(3600)
    sink.timeout = section.value("timeout", .duration("30s", .milliseconds(1)...anHour)) ?? sink.timeout
    sink.connectTimeout = section.value("connect_timeout", .duration("5s", .milliseconds(1)...anHour)) ?? sink.connectTimeout
    if let tls = section.section("tls", example: "{ ca: /etc/ssl/own-ca.pem }") {
      sink.certificateAuthorityFile = readTLS(tls)
      if let url, !HTTPURL.isSecure(url.value) {
        context.report(tls.place, "\(tls.path): the url is http://, without TLS; use https://, or remove tls")
      }
    }
    if let retry = section.section("retry", example: "{ initial: 1s, max: 60s, attempts: unlimited }") {
      readRetry(retry, into: &sink.retry)
    }
    sink.onReject = section.value("on_reject", .choice) ?? sink.onReject
    return url == nil ? nil : sink
  }

  private func readURL(_ section: Section) -> SecretText? {
    guard let scalar = section.scalar("url", expected: HTTPURL.expected) else { return nil }
    let value = scalar.text.value
    if scalar.isNothing || value.isEmpty {
      section.report(scalar, expected: HTTPURL.expected)
      return nil
    }
    if let problem = HTTPURL.problem(value) {
      section.report(scalar, problem)
      return nil
    }
    return SecretText(value, redacted: HTTPURL.redacted(scalar.text.shown))
  }

  private func readBatch(_ section: Section, into batch: inout HTTPSinkDefinition.Batch) {
    section.refuseUnknownKeys(Schema.batch)
    batch.maxRecords = section.value("max_records", .count(5000, 1...1_000_000)) ?? batch.maxRecords
    batch.maxBytes = section.value("max_bytes", .size("1MiB", 1024...(64 << 20))) ?? batch.maxBytes
    batch.linger = section.value("linger", .duration("1s", .zero ... .seconds(3600))) ?? batch.linger
  }

  private func readTLS(_ section: Section) -> String? {
    section.refuseUnknownKeys(Schema.tls)
    let expected = "the path of a PEM file such as /etc/ssl/own-ca.pem, or 'none'"
    guard let path = section.scalar("ca", expected: expected) else { return nil }
    context.remember(path)
    if path.isNothing {
      section.report(path, expected: expected)
    } else if let problem = Self.pathProblem(path.text.value) {
      section.report(path, problem)
    }
    return path.text.value == "none" ? nil : path.text.value
  }

  private func readRetry(_ section: Section, into retry: inout HTTPSinkDefinition.Retry) {
    section.refuseUnknownKeys(Schema.retry)
    let aDay = Duration.seconds(86_400)
    retry.initial = section.value("initial", .duration("1s", .milliseconds(1)...aDay)) ?? retry.initial
    retry.max = section.value("max", .duration("60s", .milliseconds(1)...aDay)) ?? max(retry.max, retry.initial)
    retry.attempts = section.value("attempts", ValueType<Int>.count(10, 1...1_000_000).or("unlimited")) ?? nil
    if retry.max < retry.initial {
      context.report(
        section.place, "\(section.path): max (\(formatDuration(retry.max))) is less than initial (\(formatDuration(retry.initial)))")
    }
  }

  private func readHeaders(_ section: Section) -> [HTTPSinkDefinition.Header] {
    var lines: [String: Int] = [:]
    return section.named.compactMap { entry in
      let key = entry.key.lowercased()
      if entry.key.isEmpty || !entry.key.utf8.allSatisfy(Self.isToken) {
        context.report(entry.keyPlace, "\(section.path): \(entry.key.quoted) is no header's name; expected letters, digits and hyphens")
      } else if Self.reservedHeaders.contains(key) {
        context.report(entry.keyPlace, "\(section.path): the sink sets \(entry.key.quoted) itself; remove it")
      } else if let first = lines[key] {
        context.report(entry.keyPlace, "\(section.path): the header \(entry.key.quoted) is given twice, first in line \(first); remove one")
      }
      lines[key] = entry.keyPlace.line
      guard let value = section.scalar(entry.key, expected: "a text") else { return nil }
      if value.isNothing {
        section.report(value, expected: "a text (\"\" for an empty one)")
      } else if value.text.value.unicodeScalars.contains(where: { $0 != "\t" && ($0.value < 0x20 || $0.value == 0x7F) }) {
        section.report(value, "a header's value can't hold line feeds or other control characters")
      }
      let isSecret = ["auth", "token", "secret", "key", "password", "cookie"].contains(where: key.contains)
      let isLiteral = value.text.redacted == value.text.value
      return HTTPSinkDefinition.Header(
        name: entry.key, value: SecretText(value.text.value, redacted: isSecret && isLiteral ? "<redacted>" : value.text.redacted))
    }
  }

  /// RFC 9110's token characters.
  private static func isToken(_ byte: UInt8) -> Bool {
    0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte || "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}
