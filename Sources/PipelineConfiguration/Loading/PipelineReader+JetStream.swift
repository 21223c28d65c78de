extension PipelineReader {
  /// The keys of a sink of `type: jetstream`.
  func readJetStreamSink(_ section: Section, queue: QueueDefinition) -> JetStreamSinkDefinition? {
    let nats = readNATS(section)
    let stream = readStream(section)
    let subject = readSubject(section) ?? NATSNames.defaultSubject(queue: queue.name)
    var sink = JetStreamSinkDefinition(nats: nats ?? NATSDefinition(servers: []), stream: stream ?? "", subject: subject)
    sink.replicas = section.value("replicas", .count(3, 1...5)) ?? sink.replicas
    sink.maxAge = section.value("max_age", .duration("7d", .seconds(1)...longDuration)) ?? nil
    sink.maxBytes = section.value("max_bytes", .size("100GiB", (1 << 20)...manyBytes)) ?? nil
    sink.overflow = section.value("overflow", .choice)
    sink.linger = section.value("linger", .duration("100ms", .zero ... .seconds(60))) ?? sink.linger
    return nats == nil || stream == nil ? nil : sink
  }

  /// The keys of a source of `type: jetstream`.
  func readJetStreamSource(_ section: Section) -> JetStreamSourceDefinition? {
    let nats = readNATS(section)
    let stream = readStream(section)
    var source = JetStreamSourceDefinition(nats: nats ?? NATSDefinition(servers: []), stream: stream ?? "")
    if let subjects = readSubjects(section) { source.subjects = subjects }
    if let share = section.section("share", example: "{ index: 0, of: 3 }") {
      share.refuseUnknownKeys(Schema.share)
      share.require("index", example: "0")
      share.require("of", example: "3")
      source.share.count = share.value("of", .count(3, 1...1000)) ?? 1
      source.share.index = share.value("index", .count(0, 0...999)) ?? 0
      if source.share.index >= source.share.count, share.entry("of") != nil {
        context.report(
          share.place, "\(share.path): of \(source.share.count) shares the last has the index \(source.share.count - 1)")
        source.share.index = 0
      }
    }
    return nats == nil || stream == nil ? nil : source
  }

  // MARK: - Names

  private func readStream(_ section: Section) -> String? {
    section.require("stream", example: NATSNames.streamExample)
    guard let scalar = section.scalar("stream", expected: "a stream's name such as \(NATSNames.streamExample)") else { return nil }
    context.remember(scalar)
    if let problem = NATSNames.streamProblem(scalar.text.value) {
      section.report(scalar, problem)
      return nil
    }
    return scalar.text.value
  }

  private func readSubject(_ section: Section) -> String? {
    guard let scalar = section.scalar("subject", expected: "a subject such as sluice.web-1.app") else { return nil }
    context.remember(scalar)
    if let problem = NATSNames.subjectProblem(scalar.text.value, wildcards: false) { section.report(scalar, problem) }
    return scalar.text.value
  }

  private func readSubjects(_ section: Section) -> [String]? {
    guard let list = section.list("subjects", expected: "a subject such as sluice.rack-7.>") else { return nil }
    if let entry = section.entry("subjects"), list.isEmpty, case .sequence(let elements) = entry.value.content, elements.isEmpty {
      context.report(entry.value.place, "\(section.path(of: "subjects")): expected at least one subject; leave the key out for all")
    }
    if list.count > 64, let entry = section.entry("subjects") {
      context.report(entry.value.place, "\(section.path(of: "subjects")): at most 64, each of which asks by itself; use wildcards")
    }
    for scalar in list {
      context.remember(scalar)
      if let problem = NATSNames.subjectProblem(scalar.text.value, wildcards: true) { section.report(scalar, problem) }
    }
    return list.map(\.text.value)
  }

  // MARK: - The cluster

  private func readNATS(_ section: Section) -> NATSDefinition? {
    section.require("servers", example: "[nats://127.0.0.1:4222]")
    let list = section.list("servers", expected: NATSNames.serverExpected) ?? []
    if let entry = section.entry("servers"), case .sequence(let elements) = entry.value.content, elements.isEmpty {
      context.report(entry.value.place, "\(section.path(of: "servers")): expected at least one server such as nats://127.0.0.1:4222")
    }
    var nats = NATSDefinition(servers: [])
    for scalar in list {
      if scalar.isNothing || scalar.text.value.isEmpty {
        section.report(scalar, expected: NATSNames.serverExpected)
      } else if let problem = NATSNames.serverProblem(scalar.text.value) {
        section.report(scalar, problem)
      }
      nats.servers.append(SecretText(scalar.text.value, redacted: HTTPURL.redacted(scalar.text.shown)))
    }
    nats.credentialsFile = readPath(section, "credentials", "/etc/sluice/nats.creds")
    nats.token = readSecret(section, "token")
    nats.user = readSecret(section, "user")
    nats.password = readSecret(section, "password")
    checkIdentity(nats, section)
    let anHour = Duration.seconds(3600)
    nats.timeout = section.value("timeout", .duration("5s", .milliseconds(100)...anHour)) ?? nats.timeout
    nats.connectTimeout = section.value("connect_timeout", .duration("1500ms", .milliseconds(1)...anHour)) ?? nats.connectTimeout
    if let tls = section.section("tls", example: "{ ca: /etc/ssl/own-ca.pem }") { nats.tls = readNATSTLS(tls, nats) }
    return list.isEmpty ? nil : nats
  }

  private func checkIdentity(_ nats: NATSDefinition, _ section: Section) {
    if (nats.user == nil) != (nats.password == nil) {
      context.report(section.place, "\(section.path): 'user' and 'password' go together; add \(nats.user == nil ? "user" : "password")")
    }
    let ways = [(nats.credentialsFile != nil, "credentials"), (nats.token != nil, "token"), (nats.user != nil, "user")].filter(\.0).map(\.1)
    if ways.count > 1 {
      context.report(section.place, "\(section.path): \(ways.map { "'\($0)'" }.joined(separator: " and ")) say who asks; give one of them")
    }
  }

  private func readNATSTLS(_ section: Section, _ nats: NATSDefinition) -> NATSDefinition.TLS {
    section.refuseUnknownKeys(Schema.natsTLS)
    let tls = NATSDefinition.TLS(
      authorityFile: readPath(section, "ca", "/etc/ssl/own-ca.pem"),
      certificateFile: readPath(section, "certificate", "/etc/sluice/client.pem"),
      keyFile: readPath(section, "key", "/etc/sluice/client.key"))
    if (tls.certificateFile == nil) != (tls.keyFile == nil) {
      context.report(
        section.place,
        "\(section.path): 'certificate' and 'key' go together; add \(tls.keyFile == nil ? "key: /etc/sluice/client.key" : "certificate: /etc/sluice/client.pem")"
      )
    }
    if !nats.servers.contains(where: { NATSNames.isSecure($0.value) }) {
      context.report(section.place, "\(section.path): no server is tls://; write tls:// in servers, or remove tls")
    }
    return tls
  }

  private func readPath(_ section: Section, _ key: String, _ example: String) -> String? {
    let expected = "the path of a file such as \(example), or 'none'"
    guard let path = section.scalar(key, expected: expected) else { return nil }
    context.remember(path)
    if path.isNothing {
      section.report(path, expected: expected)
    } else if let problem = Self.pathProblem(path.text.value) {
      section.report(path, problem)
    }
    return path.text.value == "none" ? nil : path.text.value
  }

  /// A secret, which mostly comes from `${file:…}`; what is written literally isn't printed either.
  private func readSecret(_ section: Section, _ key: String) -> SecretText? {
    guard let scalar = section.scalar(key, expected: "a text, best from a file: \"${file:/run/secrets/nats}\"") else { return nil }
    if scalar.isNothing || scalar.text.value.isEmpty { section.report(scalar, "the text is empty") }
    let isLiteral = scalar.text.redacted == scalar.text.value
    return SecretText(scalar.text.value, redacted: isLiteral ? "<redacted>" : scalar.text.redacted)
  }
}
