import Testing

@testable import PipelineConfiguration

@Suite("A pipeline file of a wrong shape") struct WrongShapeTests {
  @Test(arguments: badShapes) func `is named with file, line, column and what was expected`(file: BadFile) {
    let environment = ["SECRET": "hunter2"]
    #expect(mistakes(file.yaml + "\n", environment: environment, files: ["/secret": "hunter2\n"]) == file.mistakes, "\(file.name)")
  }
}

private let badShapes: [BadFile] = [
  BadFile(
    "an empty file",
    yaml: "",
    mistakes: [
      #"p.yaml:1:1: the file is empty; a pipeline needs at least 'sources:'"#
    ]),
  BadFile(
    "only a comment",
    yaml: #"""
      # nothing here
      """#,
    mistakes: [
      #"p.yaml:1:1: the file is empty; a pipeline needs at least 'sources:'"#
    ]),
  BadFile(
    "only a document marker",
    yaml: #"""
      ---
      """#,
    mistakes: [
      #"p.yaml:2:1: the file is empty; a pipeline needs at least 'sources:'"#
    ]),
  BadFile(
    "a list at the top",
    yaml: #"""
      - sources
      """#,
    mistakes: [
      #"p.yaml:1:1: expected a mapping such as { queue: …, sources: …, sinks: … }, got a list"#
    ]),
  BadFile(
    "a text at the top",
    yaml: #"""
      sources
      """#,
    mistakes: [
      #"p.yaml:1:1: expected a mapping such as { queue: …, sources: …, sinks: … }, got 'sources'"#
    ]),
  BadFile(
    "a tab as indentation",
    yaml: #"""
      sources:
      	app: { type: file, paths: [/a] }
      """#,
    mistakes: [
      #"p.yaml:2:1: not valid YAML: a tab can't indent; use spaces"#
    ]),
  BadFile(
    "an unclosed bracket",
    yaml: #"""
      sources:
        app: { type: file, paths: [/a }
      """#,
    mistakes: [
      #"p.yaml:2:33: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence that begins in line 2, column 29)"#
    ]),
  BadFile(
    "an unclosed quote",
    yaml: #"""
      sources:
        app: { type: file, paths: ["/a] }
      """#,
    mistakes: [
      #"p.yaml:3:1: not valid YAML: found unexpected end of stream (while scanning a quoted scalar that begins in line 2, column 30)"#
    ]),
  BadFile(
    "a colon inside a plain value",
    yaml: #"""
      queue:
        name: a: b
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:2:10: not valid YAML: a ':' can't stand here; put a value that holds ': ' in quotes, and check the indentation"#
    ]),
  BadFile(
    "bad indentation",
    yaml: #"""
      sources:
          app: { type: stdin }
        other: { type: syslog }
      """#,
    mistakes: [
      #"p.yaml:3:3: not valid YAML: did not find expected key (while parsing a block mapping that begins in line 1, column 1)"#
    ]),
  BadFile(
    "two documents",
    yaml: #"""
      sources: { app: { type: stdin } }
      ---
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:2:1: a second YAML document begins here; a file holds one pipeline: remove '---', or use two files"#
    ]),
  BadFile(
    "a glob without quotes that begins with a star",
    yaml: #"""
      sources: { app: { type: file, paths: [*.log] } }
      """#,
    mistakes: [
      #"p.yaml:1:40: anchors and aliases (&name, *name) can't stand in a pipeline file; write the value out, or in quotes if it begins with & or *"#
    ]),
  BadFile(
    "a value that begins with a percent sign",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: %Y.log } }
      """#,
    mistakes: [
      #"p.yaml:2:33: not valid YAML: a value can't begin with '%' unless it is in quotes"#
    ]),
  BadFile(
    "a value that begins with an at sign",
    yaml: #"""
      queue: { name: @a }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: not valid YAML: a value can't begin with '@' unless it is in quotes"#
    ]),
  BadFile(
    "an anchor and its alias",
    yaml: #"""
      sources:
        app: &defaults { type: stdin }
        other: *defaults
      """#,
    mistakes: [
      #"p.yaml:2:8: anchors and aliases (&name, *name) can't stand in a pipeline file; write the value out, or in quotes if it begins with & or *"#
    ]),
  BadFile(
    "a merge key",
    yaml: #"""
      sources:
        app: { <<: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:2:10: merge keys (<<) can't stand in a pipeline file; write the values out"#
    ]),
  BadFile(
    "a tag",
    yaml: #"""
      queue: { max_size: !!int 5 }
      sources: { app: !source { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: tags such as '!!int' can't stand in a pipeline file; remove it"#,
      #"p.yaml:2:17: tags such as '!source' can't stand in a pipeline file; remove it"#,
    ]),
  BadFile(
    "a list as a key",
    yaml: #"""
      sources: { [app]: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:12: a key must be a plain text, not a list"#
    ]),
  BadFile(
    "a mapping as a key",
    yaml: #"""
      sources: { { a: b }: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:12: a key must be a plain text, not a mapping"#
    ]),
  BadFile(
    "an unknown key at the top level",
    yaml: #"""
      quue: { name: a }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:1: unknown key 'quue' at the top level; did you mean 'queue'?"#
    ]),
  BadFile(
    "a mistyped key in the queue",
    yaml: #"""
      queue:
        max_sise: 64MiB
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:2:3: unknown key 'max_sise' in queue; did you mean 'max_size'?"#
    ]),
  BadFile(
    "a key with a hyphen",
    yaml: #"""
      queue: { max-size: 64MiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:10: unknown key 'max-size' in queue; did you mean 'max_size'?"#
    ]),
  BadFile(
    "a key with capitals",
    yaml: #"""
      queue: { MaxSize: 64MiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:10: unknown key 'MaxSize' in queue; did you mean 'max_size'?"#
    ]),
  BadFile(
    "an unknown key far from any",
    yaml: #"""
      queue: { colour: red }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:10: unknown key 'colour' in queue; known are name, path, max_size, min_free_disk, overflow, sync, linger, retention"#
    ]),
  BadFile(
    "a mistyped key in retention",
    yaml: #"""
      queue: { retention: { keeep: 24h } }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:23: unknown key 'keeep' in queue.retention; did you mean 'keep'?"#
    ]),
  BadFile(
    "a key of another type of source",
    yaml: #"""
      sources: { app: { type: file, paths: [/a], listen: udp://127.0.0.1:5514 } }
      """#,
    mistakes: [
      #"p.yaml:1:44: unknown key 'listen' in sources.app; it belongs to sources of type syslog, and this one is file"#
    ]),
  BadFile(
    "a key of another type of sink",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: file, path: out/a.log, batch: { max_records: 5 } } }
      """#,
    mistakes: [
      #"p.yaml:2:44: unknown key 'batch' in sinks.a; it belongs to sinks of type http, and this one is file"#
    ]),
  BadFile(
    "a mistyped key of a source",
    yaml: #"""
      sources: { app: { type: file, path: /a } }
      """#,
    mistakes: [
      #"p.yaml:1:12: sources.app: 'paths' is missing; add paths: [/var/log/app/*.log]"#,
      #"p.yaml:1:31: unknown key 'path' in sources.app; did you mean 'paths'?"#,
    ]),
  BadFile(
    "mistyped keys inside a sink",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a:
          type: http
          url: http://h/
          batch: { max_record: 5 }
          retry: { attempt: 5 }
          pull: { evry: 1s }
          tls: { cas: /a }
      """#,
    mistakes: [
      #"p.yaml:6:14: unknown key 'max_record' in sinks.a.batch; did you mean 'max_records'?"#,
      #"p.yaml:7:14: unknown key 'attempt' in sinks.a.retry; did you mean 'attempts'?"#,
      #"p.yaml:8:13: unknown key 'evry' in sinks.a.pull; did you mean 'every'?"#,
      #"p.yaml:9:5: sinks.a.tls: the url is http://, without TLS; use https://, or remove tls"#,
      #"p.yaml:9:12: unknown key 'cas' in sinks.a.tls; did you mean 'ca'?"#,
    ]),
  BadFile(
    "the server section as a text",
    yaml: #"""
      server: 127.0.0.1:7171
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:9: server: expected a mapping such as { listen: "127.0.0.1:7171", tokens: /etc/sluice/tokens }, got '127.0.0.1:7171'"#
    ]),
  BadFile(
    "mistyped keys of the server",
    yaml: #"""
      server:
        listn: 127.0.0.1:7171
        tls: { cert: /a, key: /b, ca: /c }
        limits: { max_conections: 5 }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:2:3: unknown key 'listn' in server; did you mean 'listen'?"#,
      #"p.yaml:3:3: server.tls: 'certificate' is missing; add certificate: /etc/sluice/server.pem"#,
      #"p.yaml:3:10: unknown key 'cert' in server.tls; known are certificate, key, client_ca"#,
      #"p.yaml:3:29: unknown key 'ca' in server.tls; known are certificate, key, client_ca"#,
      #"p.yaml:4:13: unknown key 'max_conections' in server.limits; did you mean 'max_connections'?"#,
    ]),
  BadFile(
    "a key given twice",
    yaml: #"""
      queue:
        name: a
        linger: 10ms
        name: b
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:4:3: key 'name' is given twice, first in line 2; remove one"#
    ]),
  BadFile(
    "a source given twice, and another mistake",
    yaml: #"""
      sources:
        app: { type: stdin }
        app: { type: stdin }
      queue: { linger: fast }
      """#,
    mistakes: [
      #"p.yaml:3:3: key 'app' is given twice, first in line 2; remove one"#,
      #"p.yaml:4:18: queue.linger: expected a duration such as 50ms (0s to 1m), got 'fast'"#,
    ]),
  BadFile(
    "a section given twice, and keys in two others",
    yaml: #"""
      sources: { app: { type: stdin } }
      queue: { name: a, name: b }
      sinks: { s: { type: stdout, hold: all, hold: all } }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:2:19: key 'name' is given twice, first in line 2; remove one"#,
      #"p.yaml:3:40: key 'hold' is given twice, first in line 3; remove one"#,
      #"p.yaml:4:1: key 'sources' is given twice, first in line 1; remove one"#,
    ]),
  BadFile(
    "a quoted duplicate",
    yaml: #"""
      queue: { "name": a, 'name': b }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:21: key 'name' is given twice, first in line 1; remove one"#
    ]),
  BadFile(
    "no sources",
    yaml: #"""
      queue: { name: a }
      """#,
    mistakes: [
      #"p.yaml:1:1: 'sources' is missing; add sources: { app: { type: file, paths: [/var/log/app/*.log] } }"#
    ]),
  BadFile(
    "empty sources",
    yaml: #"""
      sources: {}
      """#,
    mistakes: [
      #"p.yaml:1:1: sources: a pipeline needs at least one source"#
    ]),
  BadFile(
    "sources with nothing in it",
    yaml: #"""
      sources:
      queue: { name: a }
      """#,
    mistakes: [
      #"p.yaml:1:9: sources: expected a mapping such as { app: { type: file, paths: [/var/log/app/*.log] } }, got nothing"#
    ]),
  BadFile(
    "sources as a list",
    yaml: #"""
      sources:
        - type: file
          paths: [/a]
      """#,
    mistakes: [
      #"p.yaml:2:3: sources: expected a mapping such as { app: { type: file, paths: [/var/log/app/*.log] } }, got a list"#
    ]),
  BadFile(
    "a source with nothing in it",
    yaml: #"""
      sources:
        app:
      """#,
    mistakes: [
      #"p.yaml:2:7: sources.app: expected a mapping such as { type: file, paths: [/var/log/app/*.log] }, got nothing"#
    ]),
  BadFile(
    "a source without a type",
    yaml: #"""
      sources: { app: { paths: [/a] } }
      """#,
    mistakes: [
      #"p.yaml:1:12: sources.app: 'type' is missing; add type: file"#
    ]),
  BadFile(
    "a file source without paths",
    yaml: #"""
      sources: { app: { type: file } }
      """#,
    mistakes: [
      #"p.yaml:1:12: sources.app: 'paths' is missing; add paths: [/var/log/app/*.log]"#
    ]),
  BadFile(
    "a file source with no path in its list",
    yaml: #"""
      sources: { app: { type: file, paths: [] } }
      """#,
    mistakes: [
      #"p.yaml:1:38: sources.app.paths: expected at least one path such as /var/log/app/*.log"#
    ]),
  BadFile(
    "a syslog source without an address",
    yaml: #"""
      sources: { app: { type: syslog } }
      """#,
    mistakes: [
      #"p.yaml:1:12: sources.app: 'listen' is missing; add listen: udp://127.0.0.1:5514"#
    ]),
  BadFile(
    "sinks without what they need",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks:
        a: { type: file }
        b: { type: http }
        c: {}
      """#,
    mistakes: [
      #"p.yaml:3:3: sinks.a: 'path' is missing; add path: archive/app-%Y-%m-%d.log"#,
      #"p.yaml:4:3: sinks.b: 'url' is missing; add url: https://collector.example/ingest"#,
      #"p.yaml:5:3: sinks.c: 'type' is missing; add type: file"#,
    ]),
  BadFile(
    "a multiline without a start",
    yaml: #"""
      sources: { app: { type: file, paths: [/a], format: json, multiline: {} } }
      """#,
    mistakes: [
      #"p.yaml:1:58: sources.app.multiline: 'start' is missing; add start: '^\d{4}-'"#
    ]),
]
