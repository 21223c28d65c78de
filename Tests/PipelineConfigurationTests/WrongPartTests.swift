import Testing

@testable import PipelineConfiguration

@Suite("A wrong source or sink") struct WrongPartTests {
  @Test(arguments: badParts) func `is named with file, line, column and what was expected`(file: BadFile) {
    let environment = ["SECRET": "hunter2"]
    #expect(mistakes(file.yaml + "\n", environment: environment, files: ["/secret": "hunter2\n"]) == file.mistakes, "\(file.name)")
  }
}

private let badParts: [BadFile] = [
  BadFile(
    "a relative directory as a path",
    yaml: #"""
      sources: { app: { type: file, paths: [logs/] } }
      """#,
    mistakes: [
      #"p.yaml:1:39: sources.app.paths: names a directory; write logs/* for its files, or …/** for all below"#
    ]),
  BadFile(
    "an empty path, and a list in the list",
    yaml: #"""
      sources: { app: { type: file, paths: ["", [a]] } }
      """#,
    mistakes: [
      #"p.yaml:1:39: sources.app.paths: expected a path or glob such as /var/log/app/*.log, got ''"#,
      #"p.yaml:1:43: sources.app.paths: expected a path or glob such as /var/log/app/*.log, got a list"#,
    ]),
  BadFile(
    "a path with a line feed",
    yaml: #"""
      sources: { app: { type: file, paths: "/a\n/b" } }
      """#,
    mistakes: [
      #"p.yaml:1:38: sources.app.paths: a path can't hold control characters"#
    ]),
  BadFile(
    "multiline without JSON",
    yaml: #"""
      sources: { app: { type: file, paths: [/a], multiline: { start: '^\d' } } }
      """#,
    mistakes: [
      #"p.yaml:1:44: sources.app.multiline: joined lines hold line feeds, which a record can't; add format: json"#
    ]),
  BadFile(
    "a pattern that PCRE2 refuses",
    yaml: #"""
      sources: { app: { type: file, paths: [/a], format: json, multiline: { start: '^(\d{4}', timeout: 0s } } }
      """#,
    mistakes: [
      #"p.yaml:1:78: sources.app.multiline.start: not a PCRE2 pattern: missing closing parenthesis (after byte 7 of 7)"#,
      #"p.yaml:1:98: sources.app.multiline.timeout: expected a duration such as 1s (at least 1ms), got '0s'"#,
    ]),
  BadFile(
    "a listening address with a name",
    yaml: #"""
      sources: { app: { type: syslog, listen: udp://localhost:514 } }
      """#,
    mistakes: [
      #"p.yaml:1:41: sources.app.listen: expected udp:// with an IP address and a port (1 to 65535), such as udp://127.0.0.1:5514, got 'udp://localhost:514'"#
    ]),
  BadFile(
    "a listening address without a scheme",
    yaml: #"""
      sources: { app: { type: syslog, listen: "0.0.0.0:514" } }
      """#,
    mistakes: [
      #"p.yaml:1:41: sources.app.listen: expected udp:// with an IP address and a port (1 to 65535), such as udp://127.0.0.1:5514, got '0.0.0.0:514'; did you mean 'udp://0.0.0.0:514'?"#
    ]),
  BadFile(
    "a listening address over TCP",
    yaml: #"""
      sources: { app: { type: syslog, listen: tcp://127.0.0.1:514 } }
      """#,
    mistakes: [
      #"p.yaml:1:41: sources.app.listen: expected udp:// with an IP address and a port (1 to 65535), such as udp://127.0.0.1:5514, got 'tcp://127.0.0.1:514'"#
    ]),
  BadFile(
    "a port that looks octal, and one that is too large",
    yaml: #"""
      sources: { a: { type: syslog, listen: udp://127.0.0.1:0514 }, b: { type: syslog, listen: udp://127.0.0.1:65536 } }
      """#,
    mistakes: [
      #"p.yaml:1:39: sources.a.listen: expected udp:// with an IP address and a port (1 to 65535), such as udp://127.0.0.1:5514, got 'udp://127.0.0.1:0514'"#,
      #"p.yaml:1:90: sources.b.listen: expected udp:// with an IP address and a port (1 to 65535), such as udp://127.0.0.1:5514, got 'udp://127.0.0.1:65536'"#,
    ]),
  BadFile(
    "bounds of a file source",
    yaml: #"""
      sources: { a: { type: file, paths: [/a], max_open_files: 0, rescan: 10ms, idle_flush: never, max_line: 1B } }
      """#,
    mistakes: [
      #"p.yaml:1:58: sources.a.max_open_files: expected a whole number such as 256 (1 to 100000), got '0'"#,
      #"p.yaml:1:69: sources.a.rescan: expected a duration such as 2s (100ms to 1h), got '10ms'"#,
      #"p.yaml:1:87: sources.a.idle_flush: expected a duration such as 5s (at least 1ms), or 'off', got 'never'"#,
      #"p.yaml:1:104: sources.a.max_line: expected a size such as 16MiB (64B to 64MiB), got '1B'"#,
    ]),
  BadFile(
    "two listeners on one address",
    yaml: #"""
      sources: { a: { type: syslog, listen: udp://0.0.0.0:514 }, b: { type: syslog, listen: udp://127.0.0.1:514 } }
      """#,
    mistakes: [
      #"p.yaml:1:87: sources.b.listen: 'udp://127.0.0.1:514' is listened on already by the source of p.yaml:1:39"#
    ]),
  BadFile(
    "two readers of standard input",
    yaml: #"""
      sources: { a: { type: stdin }, b: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:32: sources.b: standard input is read already by the source of p.yaml:1:12"#
    ]),
  BadFile(
    "a receive buffer that is too small",
    yaml: #"""
      sources: { a: { type: syslog, listen: udp://127.0.0.1:514, receive_buffer: 1KiB, utc_offset: CET } }
      """#,
    mistakes: [
      #"p.yaml:1:76: sources.a.receive_buffer: expected a size such as 64MiB (64KiB to 1GiB), got '1KiB'"#,
      #"p.yaml:1:94: sources.a.utc_offset: expected an offset from UTC such as "+02:00" (-14:00 to +14:00), got 'CET'"#,
    ]),
  BadFile(
    "a template that begins with the time",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: "%Y/app.log" }, b: { type: file, path: "b-%Y.log" } }
      """#,
    mistakes: [
      #"p.yaml:2:33: sinks.a.path: the path's first part varies; begin with a fixed directory such as archive/, or with ./"#,
      #"p.yaml:2:72: sinks.b.path: the path's first part varies; begin with a fixed directory such as archive/, or with ./"#,
    ]),
  BadFile(
    "a template that climbs",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: archive/../../etc/cron.d/x } }
      """#,
    mistakes: [
      #"p.yaml:2:33: sinks.a.path: a path can't hold '..'; write the directory out"#
    ]),
  BadFile(
    "a template with an unknown conversion",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: archive/%s.log }, b: { type: file, path: archive/b% } }
      """#,
    mistakes: [
      #"p.yaml:2:33: sinks.a.path: '%s' is unknown; known are %Y, %m, %d, %H, %M, %S, and %% for a percent sign"#,
      #"p.yaml:2:74: sinks.b.path: '%' stands alone; write %% for a percent sign"#,
    ]),
  BadFile(
    "a template without a file",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: archive/ } }
      """#,
    mistakes: [
      #"p.yaml:2:33: sinks.a.path: names no file; add a name such as app-%Y-%m-%d.log"#
    ]),
  BadFile(
    "two sinks that could name one file",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a: { type: file, path: archive/app-%Y.log }
        b: { type: file, path: ./archive/app-2026.log }
      """#,
    mistakes: [
      #"p.yaml:4:26: sinks.b.path: './archive/app-2026.log' could name the same file as 'archive/app-%Y.log' of p.yaml:3:26"#
    ]),
  BadFile(
    "a sink that could meet another's numbered file",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a: { type: file, path: archive/app.log.gz }
        b: { type: file, path: /work dir/archive/app.0001.log.gz }
      """#,
    mistakes: [
      #"p.yaml:4:26: sinks.b.path: '/work dir/archive/app.0001.log.gz' could name the same file as 'archive/app.log.gz' of p.yaml:3:26"#
    ]),
  BadFile(
    "a sink inside the queue",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: data/p/segments/a.log } }
      """#,
    mistakes: [
      #"p.yaml:2:33: sinks.a.path: 'data/p/segments/a.log' lies in the directory of the queue 'p'; write elsewhere"#
    ]),
  BadFile(
    "a sink that feeds itself",
    yaml: #"""
      sources: { app: { type: file, paths: ["logs/**/*.log"] } }
      sinks: { a: { type: file, path: logs/app-%Y-%m-%d.log } }
      """#,
    mistakes: [
      #"p.yaml:2:33: sinks.a.path: 'logs/app-%Y-%m-%d.log' is read again by source 'app' ('logs/**/*.log'): a loop; write elsewhere, or exclude it there"#
    ]),
  BadFile(
    "two sinks to standard output",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: stdout }, b: { type: stdout } }
      """#,
    mistakes: [
      #"p.yaml:2:31: sinks.b: standard output is written already by the sink of p.yaml:2:10"#
    ]),
  BadFile(
    "rotation by wrong numbers",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: out/a.log, rotate: { size: 1, max_files: 0 } } }
      """#,
    mistakes: [
      #"p.yaml:2:60: sinks.a.rotate.size: expected a size such as 1GiB (at least 4KiB), or 'none', got '1'"#,
      #"p.yaml:2:74: sinks.a.rotate.max_files: expected a whole number such as 30 (1 to 1000000), or 'unlimited', got '0'"#,
    ]),
  BadFile(
    "gaps that are neither written nor not",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: out/a.log, gaps: yes }, b: { type: stdout, gaps: 1GiB }, c: { type: http, url: "http://h/", gaps: true } }
      """#,
    mistakes: [
      #"p.yaml:2:50: sinks.a.gaps: expected true or false, got 'yes'; did you mean 'true'?"#,
      #"p.yaml:2:82: sinks.b.gaps: expected true or false, got '1GiB'"#,
      #"p.yaml:2:125: unknown key 'gaps' in sinks.c; it belongs to sinks of type file or stdout, and this one is http"#,
    ]),
  BadFile(
    "an unknown time zone",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: out/a.log, timezone: Berlin, pull: { timezone: CEST2 } } }
      """#,
    mistakes: [
      #"p.yaml:2:54: sinks.a.timezone: expected a time zone such as UTC or Europe/Berlin, got 'Berlin'; did you mean 'Europe/Berlin'?"#,
      #"p.yaml:2:80: sinks.a.pull.timezone: expected a time zone such as UTC or Europe/Berlin, got 'CEST2'"#,
    ]),
  BadFile(
    "a pace that is none",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: stdout, pull: { every: 10, rate: 5MiB, window: 1-5 } } }
      """#,
    mistakes: [
      #"p.yaml:2:44: sinks.a.pull.every: expected a duration such as 10s (at least 1ms), or 'none', got '10'"#,
      #"p.yaml:2:54: sinks.a.pull.rate: expected a rate such as 5MiB/s, or 'none', got '5MiB'; did you mean '5MiB/s'?"#,
      #"p.yaml:2:68: sinks.a.pull.window: expected a time of day such as "01:00-05:00", or 'none', got '1-5'"#,
    ]),
  BadFile(
    "windows that are none",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a: { type: stdout, pull: { window: "01:00-01:00" } }
        b: { type: file, path: out/b.log, pull: { window: "24:00-05:00" } }
        c: { type: file, path: out/c.log, pull: { window: [01:00, 05:00] } }
      """#,
    mistakes: [
      #"p.yaml:3:38: sinks.a.pull.window: expected a time of day such as "01:00-05:00", or 'none', got '01:00-01:00'"#,
      #"p.yaml:4:53: sinks.b.pull.window: expected a time of day such as "01:00-05:00", or 'none', got '24:00-05:00'"#,
      #"p.yaml:5:53: sinks.c.pull.window: expected a time of day such as "01:00-05:00", or 'none', got a list"#,
    ]),
  BadFile(
    "holds that are none",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: stdout, hold: 50 }, b: { type: file, path: out/b.log, hold: 101% }, c: { type: file, path: out/c.log, hold: none } }
      """#,
    mistakes: [
      #"p.yaml:2:35: sinks.a.hold: expected all, a size such as 2GiB, a share such as 50% or a duration such as 7d, got '50'"#,
      #"p.yaml:2:81: sinks.b.hold: expected all, a size such as 2GiB, a share such as 50% or a duration such as 7d, got '101%'"#,
      #"p.yaml:2:129: sinks.c.hold: expected all, a size such as 2GiB, a share such as 50% or a duration such as 7d, got 'none'"#,
    ]),
  BadFile(
    "URLs that are none",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a: { type: http, url: collector.example }
        b: { type: http, url: "ftp://collector.example/" }
        c: { type: http, url: "http://user:password@" }
        d: { type: http, url: "http://collector.example/a b" }
        e: { type: http, url: "http://collector.example/#top" }
        f: { type: http, url: "http://collector.example:0/" }
        g: { type: http, url: "http:///path" }
        h: { type: http, url: "" }
      """#,
    mistakes: [
      #"p.yaml:3:25: sinks.a.url: expected an http:// or https:// URL such as https://collector.example/ingest"#,
      #"p.yaml:4:25: sinks.b.url: expected an http:// or https:// URL such as https://collector.example/ingest"#,
      #"p.yaml:5:25: sinks.c.url: expected an http:// or https:// URL such as https://collector.example/ingest"#,
      #"p.yaml:6:25: sinks.d.url: a URL holds no blanks, quotes, braces or letters outside ASCII; percent-encode them (%20)"#,
      #"p.yaml:7:25: sinks.e.url: a fragment (#…) isn't sent in a request; remove it, or write %23"#,
      #"p.yaml:8:25: sinks.f.url: expected an http:// or https:// URL such as https://collector.example/ingest"#,
      #"p.yaml:9:25: sinks.g.url: expected an http:// or https:// URL such as https://collector.example/ingest"#,
      #"p.yaml:10:25: sinks.h.url: expected an http:// or https:// URL such as https://collector.example/ingest, got ''"#,
    ]),
  BadFile(
    "TLS without https",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: http, url: http://h/, tls: { ca: /etc/ssl/ca.pem } } }
      """#,
    mistakes: [
      #"p.yaml:2:43: sinks.a.tls: the url is http://, without TLS; use https://, or remove tls"#
    ]),
  BadFile(
    "headers that can't be sent",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a:
          type: http
          url: http://h/
          headers: { Content-Length: 5, "X Y": a, X-A: "a\r\nX-B: b", x-a: b, X-C: , X-D: [a] }
      """#,
    mistakes: [
      #"p.yaml:6:16: sinks.a.headers: the sink sets 'Content-Length' itself; remove it"#,
      #"p.yaml:6:35: sinks.a.headers: 'X Y' is no header's name; expected letters, digits and hyphens"#,
      #"p.yaml:6:50: sinks.a.headers.X-A: a header's value can't hold line feeds or other control characters"#,
      #"p.yaml:6:65: sinks.a.headers: the header 'x-a' is given twice, first in line 6; remove one"#,
      #"p.yaml:6:78: sinks.a.headers.X-C: expected a text ("" for an empty one), got nothing"#,
      #"p.yaml:6:85: sinks.a.headers.X-D: expected a text, got a list"#,
    ]),
  BadFile(
    "bounds of batches and retries",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a:
          type: http
          url: http://h/
          batch: { max_records: 1e3, max_bytes: 1GiB, linger: -1s }
          retry: { initial: 90s, max: 60s, attempts: 0 }
          timeout: 0s
          connect_timeout: 2h
      """#,
    mistakes: [
      #"p.yaml:6:27: sinks.a.batch.max_records: expected a whole number such as 5000 (1 to 1000000), got '1e3'"#,
      #"p.yaml:6:43: sinks.a.batch.max_bytes: expected a size such as 1MiB (1KiB to 64MiB), got '1GiB'"#,
      #"p.yaml:6:57: sinks.a.batch.linger: expected a duration such as 1s (0s to 1h), got '-1s'"#,
      #"p.yaml:7:5: sinks.a.retry: max (1m) is less than initial (90s)"#,
      #"p.yaml:7:48: sinks.a.retry.attempts: expected a whole number such as 10 (1 to 1000000), or 'unlimited', got '0'"#,
      #"p.yaml:8:14: sinks.a.timeout: expected a duration such as 30s (1ms to 1h), got '0s'"#,
      #"p.yaml:9:22: sinks.a.connect_timeout: expected a duration such as 5s (1ms to 1h), got '2h'"#,
    ]),
  BadFile(
    "an unset variable",
    yaml: #"""
      queue: { path: "${HOME_DIR}/queue" }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.path: the environment has no HOME_DIR; set it, or give a default: ${HOME_DIR:-value}"#
    ]),
  BadFile(
    "a substitution that isn't closed",
    yaml: #"""
      queue: { path: "${HOME" }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.path: '${' without a '}' after it; write $${ for a literal '${'"#
    ]),
  BadFile(
    "substitutions that are none",
    yaml: #"""
      queue: { path: "${}", name: "${1a}" }
      sources: { app: { type: file, paths: ["${A-b}", "${A:-${B}}"] } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.path: '${}' is no substitution; expected ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for a literal '${'"#,
      #"p.yaml:1:29: queue.name: '${1a}' is no substitution; expected ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for a literal '${'"#,
      #"p.yaml:2:39: sources.app.paths: '${A-b}' is no substitution; expected ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for a literal '${'"#,
      #"p.yaml:2:49: sources.app.paths: the default of ${A:-…} can't hold another '${'"#,
    ]),
  BadFile(
    "a file that isn't there",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: http, url: http://h/, headers: { Authorization: "Bearer ${file:/run/secrets/no}", X: "${file:}" } } }
      """#,
    mistakes: [
      #"p.yaml:2:69: sinks.a.headers.Authorization: cannot read '/run/secrets/no': No such file or directory"#,
      #"p.yaml:2:106: sinks.a.headers.X: ${file:} names no file; expected ${file:PATH}"#,
    ]),
  BadFile(
    "a secret where a size is expected",
    yaml: #"""
      queue: { max_size: "${SECRET}", linger: "${file:/secret}" }
      sources: { "${SECRET}": { type: stdin } }
      sinks: { a: { type: http, url: "ftp://${SECRET}/" } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '<from environment:SECRET>'"#,
      #"p.yaml:1:41: queue.linger: expected a duration such as 50ms (0s to 1m), got '<from file:/secret>'"#,
      #"p.yaml:2:12: sources: expected a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long, got '${SECRET}'"#,
      #"p.yaml:3:32: sinks.a.url: expected an http:// or https:// URL such as https://collector.example/ingest"#,
    ]),
]
