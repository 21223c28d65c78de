import Testing

@testable import PipelineConfiguration

@Suite("A pipeline file that is right") struct GoodFileTests {
  @Test func `needs no more than one source`() throws {
    let loaded = try pipeline("sources: { standard_input: { type: stdin } }\n")
    #expect(
      loaded
        == PipelineDefinition(
          file: "p.yaml", queue: QueueDefinition(name: "p"),
          sources: [SourceDefinition(name: "standard_input", kind: .standardInput(StandardInputDefinition()))]))
    #expect(loaded.queue.path == "data/p")
    #expect(loaded.queue.maxSize == 10 * 1024 * 1024 * 1024)
    #expect(loaded.queue.minFreeDisk == 512 * 1024 * 1024)
    #expect(loaded.queue.overflow == .wait)
    #expect(loaded.queue.sync == .eachBlock)
    #expect(loaded.queue.linger == .milliseconds(50))
    #expect(loaded.queue.retention.keep == .seconds(24 * 3600))
    #expect(loaded.queue.retention.maxAge == nil)
    #expect(loaded.queue.retention.consumerExpiry == .seconds(7 * 24 * 3600))
  }

  @Test func `may set every key of the queue`() throws {
    let loaded = try pipeline(
      """
      queue:
        name: app-logs
        path: /var/lib/sluice/app
        max_size: 20GB
        min_free_disk: 0B
        overflow: drop_oldest
        sync: 1s
        linger: 0ms
        retention: { keep: 90m, max_age: 30d, consumer_expiry: 36h }
      sources: { in: { type: stdin, max_line: 1MiB, when_full: drop_newest } }
      """)
    let retention = QueueDefinition.Retention(keep: .seconds(5400), maxAge: .seconds(30 * 86_400), consumerExpiry: .seconds(36 * 3600))
    #expect(
      loaded.queue
        == QueueDefinition(
          name: "app-logs", path: "/var/lib/sluice/app", maxSize: 20_000_000_000, minFreeDisk: 0, overflow: .dropOldest,
          sync: .interval(.seconds(1)), linger: .zero, retention: retention))
    #expect(
      loaded.sources == [
        SourceDefinition(name: "in", kind: .standardInput(StandardInputDefinition(maxLineBytes: 1 << 20)), whenFull: .dropNewest)
      ])
  }

  @Test func `gives its sources in their order`() throws {
    let loaded = try pipeline(
      #"""
      sources:
        java:
          type: file
          paths: [/var/log/app/java.out, "*.out"]
          exclude: debug.out
          start_at: end
          format: json
          max_line: 64KiB
          idle_flush: 5s
          max_open_files: 1000
          rescan: 500ms
          multiline: { start: '^\d{4}-', timeout: 2s }
        app: { type: file, paths: /var/log/app/*.log }
        network: { type: syslog, listen: "udp://[::1]:5514", format: raw, receive_buffer: 16MiB, utc_offset: "+05:30", when_full: wait }
        devices: { type: syslog, listen: udp://127.0.0.1:514 }
      """#)
    let java = FileSourceDefinition(
      paths: ["/var/log/app/java.out", "*.out"], exclude: ["debug.out"], startAt: .end, format: .json, maxLineBytes: 65_536,
      idleFlush: .seconds(5),
      multiline: FileSourceDefinition.Multiline(start: #"^\d{4}-"#, timeout: .seconds(2)), maxOpenFiles: 1000,
      rescan: .milliseconds(500))
    let network = SyslogSourceDefinition(
      listen: ListenAddress(host: "::1", port: 5514), format: .raw, receiveBufferBytes: 16 << 20, utcOffsetMinutes: 330)
    #expect(
      loaded.sources == [
        SourceDefinition(name: "java", kind: .file(java), whenFull: .wait),
        SourceDefinition(name: "app", kind: .file(FileSourceDefinition(paths: ["/var/log/app/*.log"])), whenFull: .wait),
        SourceDefinition(name: "network", kind: .syslog(network), whenFull: .wait),
        SourceDefinition(
          name: "devices", kind: .syslog(SyslogSourceDefinition(listen: ListenAddress(host: "127.0.0.1", port: 514))), whenFull: .dropNewest
        ),
      ])
  }

  @Test func `may set every key of its sinks`() throws {
    let loaded = try pipeline(
      """
      sources: { in: { type: stdin } }
      sinks:
        archive:
          type: file
          path: archive/app-%Y-%m-%d.log.gz
          timezone: Europe/Berlin
          rotate: { size: 1GiB, max_files: 30 }
          gaps: true
        analytics:
          type: http
          url: https://collector.example/ingest
          format: json_array
          compression: none
          batch: { max_records: 10, max_bytes: 2MiB, linger: 0s }
          pull: { every: 10s, rate: 5MiB/s, window: 22:30-05:00, timezone: Europe/Berlin }
          start_at: newest
          hold: 50%
          headers: { X-Team: logs }
          timeout: 1m
          connect_timeout: 500ms
          tls: { ca: own-ca.pem }
          retry: { initial: 100ms, max: 5m, attempts: 7 }
          on_reject: wait
        screen: { type: stdout, hold: 2GiB, gaps: true }
      consumers:
        nightly: { mode: cursor, start_at: newest, hold: 7d }
        reports: {}
        load: { mode: lease, max_deliveries: 5 }
        spread: { mode: lease }
      """)
    let http = HTTPSinkDefinition(
      url: SecretText("https://collector.example/ingest"), format: .jsonArray, compression: .none,
      batch: HTTPSinkDefinition.Batch(maxRecords: 10, maxBytes: 2 << 20, linger: .zero),
      headers: [HTTPSinkDefinition.Header(name: "X-Team", value: SecretText("logs"))], timeout: .seconds(60),
      connectTimeout: .milliseconds(500),
      certificateAuthorityFile: "own-ca.pem", retry: HTTPSinkDefinition.Retry(initial: .milliseconds(100), max: .seconds(300), attempts: 7),
      onReject: .wait)
    let pull = PullDefinition(
      every: .seconds(10), bytesPerSecond: 5 << 20, window: PullDefinition.Window(start: 22 * 60 + 30, end: 300), timezone: "Europe/Berlin")
    let archive = FileSinkDefinition(
      path: "archive/app-%Y-%m-%d.log.gz", timezone: "Europe/Berlin", rotateBytes: 1 << 30, maxFiles: 30, writesGaps: true)
    #expect(
      loaded.sinks == [
        SinkDefinition(name: "archive", kind: .file(archive)),
        SinkDefinition(name: "analytics", kind: .http(http), pull: pull, startAt: .newest, hold: .share(percent: 50)),
        SinkDefinition(name: "screen", kind: .standardOutput(writesGaps: true), hold: .bytes(2 << 30)),
      ])
    #expect(
      loaded.consumers == [
        ConsumerDefinition(name: "nightly", startAt: .newest, hold: .duration(.seconds(7 * 86_400))), ConsumerDefinition(name: "reports"),
        ConsumerDefinition(name: "load", mode: .lease(maxDeliveries: 5)),
        ConsumerDefinition(name: "spread", mode: .lease(maxDeliveries: 0)),
      ])
  }

  @Test func `may leave every key of a sink to its default`() throws {
    let loaded = try pipeline(
      """
      sources: { in: { type: stdin } }
      sinks: { a: { type: http, url: "http://[::1]:8080/in?x=1" }, b: { type: file, path: ./b-%Y.log } }
      """)
    guard case .http(let http) = loaded.sinks[0].kind, case .file(let file) = loaded.sinks[1].kind else {
      Issue.record("kinds differ")
      return
    }
    #expect(http.format == .lines && http.compression == .gzip && http.onReject == .deadLetter && http.headers.isEmpty)
    #expect(http.batch == HTTPSinkDefinition.Batch(maxRecords: 5000, maxBytes: 1 << 20, linger: .seconds(1)))
    #expect(http.retry == HTTPSinkDefinition.Retry(initial: .seconds(1), max: .seconds(60), attempts: nil))
    #expect(http.timeout == .seconds(30) && http.connectTimeout == .seconds(5) && http.certificateAuthorityFile == nil)
    #expect(http.url.value == "http://[::1]:8080/in?x=1")
    #expect(file.timezone == "UTC" && file.rotateBytes == nil && file.maxFiles == nil && !file.writesGaps)
    for sink in loaded.sinks {
      #expect(sink.pull == PullDefinition() && sink.startAt == .oldest && sink.hold == .all)
      #expect(sink.pull.every == nil && sink.pull.bytesPerSecond == nil && sink.pull.window == nil && sink.pull.timezone == "UTC")
    }
  }

  @Test func `may be JSON, which is YAML too`() throws {
    let loaded = try pipeline(
      """
      {
        "queue": { "max_size": "64MiB" },
        "sources": {
          "app": { "type": "file", "paths": ["/var/log/app.log"] }
        }
      }
      """)
    #expect(loaded.queue.maxSize == 64 << 20)
  }

  @Test func `may use comments, block scalars and Windows line ends`() throws {
    let loaded = try pipeline("# *a* & {b} [c]\r\nsources:\r\n  in:\r\n    type: stdin # !\r\nqueue:\r\n  path: >-\r\n    data/long\r\n")
    #expect(loaded.queue.path == "data/long")
  }

  @Test func `words that YAML 1.1 takes for booleans or numbers are texts`() throws {
    let loaded = try pipeline("sources: { in: { type: stdin } }\nqueue: { name: on, path: 010 }\nconsumers: { no: {}, 12: {} }\n")
    #expect(loaded.queue.name == "on" && loaded.queue.path == "010")
    #expect(loaded.consumers.map(\.name) == ["no", "12"])
  }

  @Test func `a small queue gets lines that fit it`() throws {
    let loaded = try pipeline("queue: { max_size: 32MiB }\nsources: { in: { type: stdin } }\n")
    #expect(loaded.sources[0].kind == .standardInput(StandardInputDefinition(maxLineBytes: 8 << 20)))
  }

  @Test func `sinks whose files can't meet are fine`() {
    let yaml = """
      sources: { in: { type: stdin } }
      sinks:
        a: { type: file, path: archive/app-%Y.log }
        b: { type: file, path: archive/app-%Y-%m.log }
        c: { type: file, path: archive/app-%Y.log.gz }
        d: { type: file, path: archive/%Y/app.log }
        e: { type: file, path: other/app-%Y.log }
      """
    #expect(mistakes(yaml) == [])
  }

  @Test func `an output that is tailed but excluded is fine`() {
    let yaml = """
      sources: { in: { type: file, paths: [logs/*.log], exclude: [logs/all.log] } }
      sinks: { all: { type: file, path: logs/all.log } }
      """
    #expect(mistakes(yaml) == [])
  }
}
