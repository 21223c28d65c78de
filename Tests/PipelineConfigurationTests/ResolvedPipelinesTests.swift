import Foundation
import Testing

@testable import PipelineConfiguration

@Suite("The resolved pipeline") struct ResolvedPipelinesTests {
  private static let full = #"""
    queue: { max_size: 123456789B, linger: 0s, sync: 250ms, overflow: drop_oldest, path: "da ta/$${x}", retention: { max_age: 400d } }
    sources:
      app: { type: file, paths: ["a b/*.log", "#c"], exclude: [x], format: json, idle_flush: 1500ms, multiline: { start: '^\d{4}"\\' } }
      net: { type: syslog, listen: "udp://[::1]:5514", utc_offset: "-03:30" }
      in: { type: stdin, max_line: 1KiB }
    sinks:
      archive: { type: file, path: archive/%Y/100%%-%m.log, rotate: { size: 5KiB, max_files: 2 }, gaps: true, hold: 33% }
      web:
        type: http
        url: https://h:8443/in
        headers: { X-A: "tab\there", X-B: "" }
        pull: { every: 1h, rate: 1500kB/s, window: "23:05-24:00", timezone: America/New_York }
        hold: 36h
        retry: { attempts: 3 }
        tls: { ca: ca.pem }
      screen: { type: stdout, start_at: newest, gaps: true }
    consumers: { nightly: { hold: 1TiB }, other: {} }
    server:
      listen: "[::]:80"
      tokens: "to kens"
      tls: { certificate: c.pem, key: k.pem }
      limits: { min_progress: 1B, requests_per_second: 7, idle_timeout: 90s }
    """#

  @Test func `as text loads again to the same definition`() throws {
    for yaml in [
      Self.full, "sources: { in: { type: stdin } }", "sources: { in: { type: stdin } }\nsinks: { w: { type: http, url: http://h/ } }",
    ] {
      let first = try pipeline(yaml)
      let text = ResolvedPipelines.text(of: [first])
      #expect(try pipeline(text) == first, "\(text)")
      #expect(ResolvedPipelines.text(of: [try pipeline(text)]) == text)
    }
  }

  @Test func `has every default filled in`() throws {
    let text = ResolvedPipelines.text(of: [
      try pipeline("sources: { app: { type: file, paths: [/var/log/app/*.log] } }\nsinks: { a: { type: file, path: out/a.log } }")
    ])
    #expect(
      text == """
        # p.yaml
        queue:
          name: p
          path: data/p
          max_size: 10GiB
          min_free_disk: 512MiB
          overflow: wait
          sync: each_block
          linger: 50ms
          retention:
            keep: 1d
            max_age: none
            consumer_expiry: 7d
        sources:
          app:
            type: file
            paths: ["/var/log/app/*.log"]
            exclude: []
            start_at: beginning
            format: raw
            max_line: 16MiB
            idle_flush: off
            max_open_files: 256
            rescan: 2s
            when_full: wait
        sinks:
          a:
            type: file
            path: out/a.log
            timezone: UTC
            rotate:
              size: none
              max_files: unlimited
            gaps: false
            pull:
              every: none
              rate: none
              window: none
              timezone: UTC
            start_at: oldest
            hold: all
        consumers: {}

        """)
  }

  @Test func `of several files stands in one document each`() throws {
    let one = try pipeline("sources: { in: { type: stdin } }")
    var two = one
    two.file = "evil\nname"
    let text = ResolvedPipelines.text(of: [one, two])
    #expect(text.components(separatedBy: "---\n").count == 2)
    #expect(text.contains("\n---\n# evil\\nname\nqueue:\n"))
  }

  @Test func `as JSON is what any JSON reader takes, with the same values`() throws {
    let loaded = try pipeline(Self.full)
    let json = ResolvedPipelines.json(of: [loaded, loaded])
    let array = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
    #expect(array.count == 2)
    let object = array[0]
    #expect(object["file"] as? String == "p.yaml")
    let queue = try #require(object["queue"] as? [String: Any])
    #expect(queue["max_size"] as? String == "123456789B")
    #expect(queue["path"] as? String == "da ta/${x}")
    let sinks = try #require(object["sinks"] as? [String: [String: Any]])
    #expect((sinks["web"]?["headers"] as? [String: String]) == ["X-A": "tab\there", "X-B": ""])
    #expect((sinks["web"]?["retry"] as? [String: Any])?["attempts"] as? Int == 3)
    #expect((sinks["web"]?["pull"] as? [String: String])?["window"] == "23:05-24:00")
    let sources = try #require(object["sources"] as? [String: [String: Any]])
    #expect(sources["app"]?["paths"] as? [String] == ["a b/*.log", "#c"])
    #expect((sources["app"]?["multiline"] as? [String: String])?["start"] == #"^\d{4}"\\"#)
  }

  @Test func `as JSON of nothing is an empty array`() {
    #expect(ResolvedPipelines.json(of: []) == "[]\n")
    #expect(ResolvedPipelines.text(of: []) == "")
  }
}
