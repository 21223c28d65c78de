import Testing

@testable import PipelineConfiguration

@Suite("A file with JetStream") struct JetStreamFileTests {
  @Test func `may set every key`() throws {
    let loaded = try pipeline(
      """
      sources:
        in:
          type: jetstream
          servers: nats://n1
          token: "${file:/secret}"
          stream: LOGS-1
          subjects: [sluice.*.app, "sluice.rack-7.>"]
          share: { index: 2, of: 3 }
          when_full: wait
      sinks:
        out:
          type: jetstream
          servers: ["tls://u:p@n1:4222", "tls://[::1]:4222"]
          credentials: /etc/nats.creds
          tls: { ca: /ca.pem, certificate: /c.pem, key: /k.pem }
          stream: LOGS_2
          subject: sluice.web-1.app
          replicas: 1
          max_age: 7d
          max_bytes: 1GiB
          overflow: drop_oldest
          linger: 100ms
          timeout: 2s
          connect_timeout: 500ms
          hold: 50%
      """, files: ["/secret": "hunter2\n"])
    guard case .jetStream(let source) = loaded.sources[0].kind, case .jetStream(let sink) = loaded.sinks[0].kind else {
      Issue.record("not of type jetstream")
      return
    }
    #expect(
      source
        == JetStreamSourceDefinition(
          nats: NATSDefinition(servers: [SecretText("nats://n1")], token: SecretText("hunter2", redacted: "<from file:/secret>")),
          stream: "LOGS-1", subjects: ["sluice.*.app", "sluice.rack-7.>"], share: .init(index: 2, count: 3)))
    let nats = NATSDefinition(
      servers: [SecretText("tls://u:p@n1:4222", redacted: "tls://<redacted>@n1:4222"), SecretText("tls://[::1]:4222")],
      credentialsFile: "/etc/nats.creds", tls: .init(authorityFile: "/ca.pem", certificateFile: "/c.pem", keyFile: "/k.pem"),
      timeout: .seconds(2), connectTimeout: .milliseconds(500))
    #expect(
      sink
        == JetStreamSinkDefinition(
          nats: nats, stream: "LOGS_2", subject: "sluice.web-1.app", replicas: 1, maxAge: .seconds(7 * 86_400), maxBytes: 1 << 30,
          overflow: .dropOldest, linger: .milliseconds(100)))
    let text = loaded.description
    #expect(text.contains("servers: [\"tls://<redacted>@n1:4222\", \"tls://[::1]:4222\"]") && text.contains("overflow: drop_oldest"))
    #expect(!text.contains("hunter2") && !text.contains("u:p"))
    #expect(loaded.sources[0].whenFull == .wait && loaded.sinks[0].hold == .share(percent: 50))
  }

  @Test func `has what it needs by default, and prints what loads again`() throws {
    let yaml = """
      queue: { name: web.1 }
      sources: { in: { type: jetstream, servers: ["nats://127.0.0.1:4222"], stream: LOGS } }
      sinks: { out: { type: jetstream, servers: ["nats://127.0.0.1:4222"], stream: LOGS } }
      """
    let loaded = try pipeline(yaml)
    guard case .jetStream(let sink) = loaded.sinks[0].kind else {
      Issue.record("not of type jetstream")
      return
    }
    #expect(sink.subject.hasPrefix("sluice.") && sink.subject.hasSuffix(".web_1") && sink.subject.split(separator: ".").count == 3)
    #expect(sink.replicas == 3 && sink.maxAge == nil && sink.maxBytes == nil && sink.overflow == nil && sink.linger == .zero)
    #expect(try pipeline(loaded.description) == loaded)
  }

  @Test(arguments: [
    ("", "'servers' is missing"), ("servers: []", "expected at least one server"),
    ("servers: [http://n1]", "expected a nats:// or tls:// URL"),
    ("servers: [nats://n1/x]", "expected a nats:// or tls:// URL"), ("servers: [nats://n1], user: u", "'user' and 'password' go together"),
    ("servers: [nats://n1], token: t, credentials: /c", "'credentials' and 'token' say who asks"),
    ("servers: [nats://n1], tls: { ca: /a }", "no server is tls://"),
    ("servers: [tls://n1], tls: { key: /k }", "'certificate' and 'key' go together"),
    ("servers: [nats://n1], stream: a.b", "a stream's name has 1 to 64"),
    ("servers: [nats://n1], subject: \"a.>\"", "a sink publishes on one subject"),
    ("servers: [nats://n1], subject: a..b", "none empty"), ("servers: [nats://n1], subject: $JS.a", "NATS's own"),
    ("servers: [nats://n1], replicas: 7", "1 to 5"), ("servers: [nats://n1], subjects: [a]", "unknown key 'subjects'"),
  ])
  func `is told what is wrong with a sink`(keys: String, mistake: String) {
    let stream = keys.contains("stream:") ? "" : ", stream: S"
    let found = mistakes(
      "sources: { in: { type: stdin } }\nsinks: { out: { type: jetstream\(keys.isEmpty ? "" : ", ")\(keys)\(stream) } }\n")
    #expect(found.count == 1 && found[0].hasPrefix("p.yaml:2:") && found[0].contains(mistake), "\(found)")
  }

  @Test(arguments: [
    ("subjects: []", "leave the key out for all"), ("subjects: [a.>.b]", "'>' for all at the end"),
    ("subjects: [a*]", "stands for one whole token"),
    ("share: { index: 3, of: 3 }", "of 3 shares the last has the index 2"), ("share: { index: 0 }", "'of' is missing"),
    ("share: { index: 0, of: 3, xyz: 1 }", "unknown key 'xyz'"), ("subject: a", "unknown key 'subject'"),
  ])
  func `is told what is wrong with a source`(keys: String, mistake: String) {
    let found = mistakes("sources: { in: { type: jetstream, servers: [nats://n1], stream: S, \(keys) } }\n")
    #expect(found.count == 1 && found[0].hasPrefix("p.yaml:1:") && found[0].contains(mistake), "\(found)")
  }
}
