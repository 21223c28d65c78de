import Testing

@testable import PipelineConfiguration

@Suite("A secret") struct SecretTests {
  static let secret = "hunter2-hunter2"
  static let yaml = """
    queue:
      path: data/${file:/run/secret}
    sources:
      app: { type: file, paths: ["/logs/${file:/run/secret}/*.log"], exclude: ["/logs/${file:/run/secret}"] }
    sinks:
      a:
        type: http
        url: https://collector.example/${file:/run/secret}?token=${SECRET}
        headers: { Authorization: "Bearer ${file:/run/secret}", X-Plain: "a ${SECRET} b", X-Api-Key: hunter2-hunter2, X-Open: fine }
        tls: { ca: "/etc/${file:/run/secret}" }
      b: { type: file, path: "out/${file:/run/secret}.log" }
    """

  private func load() throws -> PipelineDefinition {
    try pipeline(Self.yaml, environment: ["SECRET": Self.secret], files: ["/run/secret": Self.secret + "\n"])
  }

  @Test func `reaches the one who needs it`() throws {
    guard case .http(let http) = try load().sinks[0].kind else {
      Issue.record("no HTTP sink")
      return
    }
    #expect(http.url.value == "https://collector.example/\(Self.secret)?token=\(Self.secret)")
    #expect(http.headers.map(\.value.value) == ["Bearer \(Self.secret)", "a \(Self.secret) b", Self.secret, "fine"])
  }

  @Test func `is in no description, dump or resolved pipeline`() throws {
    let pipeline = try load()
    guard case .http(let http) = pipeline.sinks[0].kind else {
      Issue.record("no HTTP sink")
      return
    }
    var dumped = ""
    dump(pipeline, to: &dumped)
    dump(http.headers, to: &dumped)
    dump(http.url, to: &dumped)
    let texts = [
      "\(pipeline)", String(reflecting: pipeline), "\([pipeline])", "\(http.headers)", String(reflecting: http.headers), "\(http.url)",
      "\(Optional(http.url) as Any)", dumped, ResolvedPipelines.text(of: [pipeline]), ResolvedPipelines.json(of: [pipeline]),
    ]
    for text in texts {
      #expect(!text.isEmpty)
      #expect(!text.contains(Self.secret))
    }
  }

  @Test func `shows where it came from`() throws {
    let text = ResolvedPipelines.text(of: [try load()])
    for line in [
      "path: \"data/<from file:/run/secret>\"", "paths: [\"/logs/<from file:/run/secret>/*.log\"]",
      "url: \"https://collector.example/<from file:/run/secret>?<redacted>\"", "Authorization: \"Bearer <from file:/run/secret>\"",
      "X-Plain: \"a <from environment:SECRET> b\"", "X-Api-Key: \"<redacted>\"", "X-Open: fine", "ca: \"/etc/<from file:/run/secret>\"",
      "path: \"out/<from file:/run/secret>.log\"",
    ] { #expect(text.contains(line), "\(line)") }
  }

  @Test(arguments: [
    ("https://user:password@h/in", "https://<redacted>@h/in"), ("https://u@h", "https://<redacted>@h"),
    ("http://h/a?sig=x&b=y", "http://h/a?<redacted>"),
    ("http://h/a?", "http://h/a?"), ("http://h/@a", "http://h/@a"), ("http://u:p@h?x@y/z", "http://<redacted>@h?<redacted>"),
    ("http://h/in", "http://h/in"),
  ]) func `in a URL's user, password or query isn't printed`(url: String, printed: String) throws {
    let loaded = try pipeline("sources: { in: { type: stdin } }\nsinks: { a: { type: http, url: '${U}' } }", environment: ["U": url])
    guard case .http(let http) = loaded.sinks[0].kind else {
      Issue.record("no HTTP sink")
      return
    }
    #expect(http.url.value == url && http.url.description == printed)
    #expect(http.shownURL == nil)
  }

  @Test func `in a URL's path is shown by its file's name, and a file with the user doesn't uncover the password`() throws {
    let loaded = try pipeline(
      "sources: { in: { type: stdin } }\nsinks: { a: { type: http, url: 'https://${file:/run/secret}:literal@h/in/${file:/run/secret}?a=b' } }",
      files: ["/run/secret": Self.secret])
    guard case .http(let http) = loaded.sinks[0].kind else {
      Issue.record("no HTTP sink")
      return
    }
    #expect(http.url.description == "https://<redacted>@h/in/<from file:/run/secret>?<redacted>")
    #expect(http.shownURL == "https://h/in/<from file:/run/secret>")
  }

  @Test(arguments: [
    "max_size", "min_free_disk", "overflow", "sync", "linger", "name", "path",
  ]) func `is in no error of the queue`(key: String) {
    for value in ["${SECRET}\\u0007", "${file:/run/secret}\\u0007"] {
      let found = mistakes(
        "queue: { \(key): \"\(value)\" }\nsources: { in: { type: stdin } }", environment: ["SECRET": Self.secret],
        files: ["/run/secret": Self.secret])
      #expect(found.count == 1)
      #expect(found.allSatisfy { !$0.contains(Self.secret) })
    }
  }

  @Test func `is in no error of sources and sinks`() {
    for value in ["${SECRET} \\u0007", "${file:/run/secret} \\u0007"] {
      for line in [
        "sources: { s: { type: file, paths: [\"\(value)\"] } }",
        "sources: { s: { type: file, paths: [\"\(value.prefix { $0 != " " })/\"] } }",
        "sources: { s: { type: syslog, listen: \"\(value)\" } }", "sources: { s: { type: \"\(value)\" } }",
        "sources: { s: { type: file, paths: [/a], format: json, multiline: { start: \"(\(value)\" } } }",
        "sinks: { a: { type: file, path: \"\(value)\" } }", "sinks: { a: { type: file, path: \"%\(value.prefix { $0 != " " })\" } }",
        "sinks: { a: { type: http, url: \"\(value)\" } }",
        "sinks: { a: { type: stdout, hold: \"\(value)\", pull: { timezone: \"\(value)\" } } }",
        "sinks: { a: { type: http, url: http://h/, headers: { A: \"\(value)\" } } }",
        "sinks: { a: { type: file, path: \"o/\(value.prefix { $0 != " " })\" }, b: { type: file, path: \"o/\(value.prefix { $0 != " " })\" } }",
        "consumers: { c: { mode: \"\(value)\" } }",
      ] {
        let yaml = line.hasPrefix("sources") ? line : "sources: { in: { type: stdin } }\n" + line
        let found = mistakes(yaml, environment: ["SECRET": Self.secret], files: ["/run/secret": Self.secret])
        #expect(!found.isEmpty, "\(line)")
        #expect(found.allSatisfy { !$0.contains(Self.secret) }, "\(found)")
      }
    }
  }
}
