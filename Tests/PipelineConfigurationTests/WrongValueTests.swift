import Testing

@testable import PipelineConfiguration

@Suite("A wrong value in a pipeline file") struct WrongValueTests {
  @Test(arguments: badValues) func `is named with file, line, column and what was expected`(file: BadFile) {
    let environment = ["SECRET": "hunter2"]
    #expect(mistakes(file.yaml + "\n", environment: environment, files: ["/secret": "hunter2\n"]) == file.mistakes, "\(file.name)")
  }
}

private let badValues: [BadFile] = [
  BadFile(
    "a size without a unit",
    yaml: #"""
      queue: { max_size: 1000000000 }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '1000000000'"#
    ]),
  BadFile(
    "a size with a short unit",
    yaml: #"""
      queue: { max_size: 64M }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '64M'; did you mean '64MiB'?"#
    ]),
  BadFile(
    "a size in small letters with a blank",
    yaml: #"""
      queue: { max_size: 10 gib }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '10 gib'; did you mean '10GiB'?"#
    ]),
  BadFile(
    "a size with a fraction",
    yaml: #"""
      queue: { max_size: 1.5GiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '1.5GiB'"#
    ]),
  BadFile(
    "a size that looks octal",
    yaml: #"""
      queue: { max_size: 064MiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '064MiB'"#
    ]),
  BadFile(
    "a size that is negative",
    yaml: #"""
      queue: { max_size: -1GiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '-1GiB'"#
    ]),
  BadFile(
    "a size with nothing",
    yaml: #"""
      queue: { max_size: }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got nothing"#
    ]),
  BadFile(
    "a size that is an empty text",
    yaml: #"""
      queue: { max_size: "" }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got ''"#
    ]),
  BadFile(
    "a queue that is too small",
    yaml: #"""
      queue: { max_size: 1MiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '1MiB'"#
    ]),
  BadFile(
    "a size that no number holds",
    yaml: #"""
      queue: { max_size: 999999999999999999TiB }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got '999999999999999999TiB'"#
    ]),
  BadFile(
    "a size as a list",
    yaml: #"""
      queue: { max_size: [64MiB] }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got a list"#
    ]),
  BadFile(
    "a size as a mapping",
    yaml: #"""
      queue: { max_size: { bytes: 5 } }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.max_size: expected a size such as 10GiB (at least 8MiB), got a mapping"#
    ]),
  BadFile(
    "a line longer than a quarter of the queue",
    yaml: #"""
      queue: { max_size: 32MiB }
      sources: { app: { type: stdin, max_line: 16MiB } }
      """#,
    mistakes: [
      #"p.yaml:2:42: sources.app.max_line: 16MiB is more than a quarter of queue.max_size (32MiB)"#
    ]),
  BadFile(
    "a duration without a unit",
    yaml: #"""
      queue: { linger: 50 }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:18: queue.linger: expected a duration such as 50ms (0s to 1m), got '50'"#
    ]),
  BadFile(
    "a duration in words",
    yaml: #"""
      queue: { retention: { keep: 1 day, consumer_expiry: 2w } }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:29: queue.retention.keep: expected a duration such as 24h (at least 0s), got '1 day'; did you mean '1d'?"#,
      #"p.yaml:1:53: queue.retention.consumer_expiry: expected a duration such as 7d (at least 1ms), got '2w'; did you mean '14d'?"#,
    ]),
  BadFile(
    "a duration of a thousand years",
    yaml: #"""
      queue: { retention: { max_age: 365000d } }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:32: queue.retention.max_age: expected a duration such as 30d (at least 1ms), or 'none', got '365000d'"#
    ]),
  BadFile(
    "a duration that looks like a boolean",
    yaml: #"""
      queue: { linger: no }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:18: queue.linger: expected a duration such as 50ms (0s to 1m), got 'no'"#
    ]),
  BadFile(
    "a linger of an hour",
    yaml: #"""
      queue: { linger: 1h }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:18: queue.linger: expected a duration such as 50ms (0s to 1m), got '1h'"#
    ]),
  BadFile(
    "sexagesimal digits",
    yaml: #"""
      queue: { linger: 1:30 }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:18: queue.linger: expected a duration such as 50ms (0s to 1m), got '1:30'"#
    ]),
  BadFile(
    "a mistyped overflow",
    yaml: #"""
      queue: { overflow: drop_oldst }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.overflow: expected wait or drop_oldest, got 'drop_oldst'; did you mean 'drop_oldest'?"#
    ]),
  BadFile(
    "a boolean for a choice",
    yaml: #"""
      queue: { overflow: yes, sync: on }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:20: queue.overflow: expected wait or drop_oldest, got 'yes'"#,
      #"p.yaml:1:31: queue.sync: expected each_block, never or an interval such as 1s, got 'on'"#,
    ]),
  BadFile(
    "a sync of nothing",
    yaml: #"""
      queue: { sync: each-block }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.sync: expected each_block, never or an interval such as 1s, got 'each-block'; did you mean 'each_block'?"#
    ]),
  BadFile(
    "a type that isn't there",
    yaml: #"""
      sources: { app: { type: kafka } }
      """#,
    mistakes: [
      #"p.yaml:1:25: sources.app.type: expected file, syslog, stdin or jetstream, got 'kafka'"#
    ]),
  BadFile(
    "a mistyped type",
    yaml: #"""
      sources: { app: { type: sislog } }
      sinks: { a: { type: htpp } }
      """#,
    mistakes: [
      #"p.yaml:1:25: sources.app.type: expected file, syslog, stdin or jetstream, got 'sislog'; did you mean 'syslog'?"#,
      #"p.yaml:2:21: sinks.a.type: expected file, http, stdout or jetstream, got 'htpp'; did you mean 'http'?"#,
    ]),
  BadFile(
    "a file sink's words on a file source",
    yaml: #"""
      sources: { app: { type: file, paths: [/a], start_at: oldest, format: jsn } }
      """#,
    mistakes: [
      #"p.yaml:1:54: sources.app.start_at: expected beginning or end, got 'oldest'"#,
      #"p.yaml:1:70: sources.app.format: expected raw or json, got 'jsn'; did you mean 'json'?"#,
    ]),
  BadFile(
    "deliveries of a consumer without leases, and too many",
    yaml: #"""
      sources: { app: { type: stdin } }
      consumers:
        c: { max_deliveries: 5 }
        d: { mode: lease, max_deliveries: 0 }
      """#,
    mistakes: [
      #"p.yaml:3:24: consumers.c.max_deliveries: only a consumer of leases counts deliveries; give mode: lease"#,
      #"p.yaml:4:37: consumers.d.max_deliveries: expected a whole number such as 5 (1 to 1000), or 'unlimited', got '0'"#,
    ]),
  BadFile(
    "a consumer with a mistyped mode",
    yaml: #"""
      sources: { app: { type: stdin } }
      consumers: { c: { mode: curser, start_at: beginning, hold: 0% } }
      """#,
    mistakes: [
      #"p.yaml:2:25: consumers.c.mode: expected cursor or lease, got 'curser'; did you mean 'cursor'?"#,
      #"p.yaml:2:43: consumers.c.start_at: expected oldest or newest, got 'beginning'"#,
      #"p.yaml:2:60: consumers.c.hold: expected all, a size such as 2GiB, a share such as 50% or a duration such as 7d, got '0%'"#,
    ]),
  BadFile(
    "when_full by another name",
    yaml: #"""
      sources: { app: { type: stdin, when_full: drop_oldest } }
      """#,
    mistakes: [
      #"p.yaml:1:43: sources.app.when_full: expected wait or drop_newest, got 'drop_oldest'; did you mean 'drop_newest'?"#
    ]),
  BadFile(
    "words in an HTTP sink",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { a: { type: http, url: http://h/, format: json, compression: gz, on_reject: retry } }
      """#,
    mistakes: [
      #"p.yaml:2:51: sinks.a.format: expected lines or json_array, got 'json'"#,
      #"p.yaml:2:70: sinks.a.compression: expected gzip or none, got 'gz'"#,
      #"p.yaml:2:85: sinks.a.on_reject: expected dead_letter, wait or drop, got 'retry'"#,
    ]),
  BadFile(
    "a queue's name with capitals",
    yaml: #"""
      queue: { name: App }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.name: expected a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long, got 'App'; did you mean 'app'?"#
    ]),
  BadFile(
    "a queue's name that leads out",
    yaml: #"""
      queue: { name: ../a }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.name: expected a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long, got '../a'"#
    ]),
  BadFile(
    "a queue's name for dead letters",
    yaml: #"""
      queue: { name: a.dead-letters }
      sources: { app: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:16: queue.name: a name can't end in '.dead-letters': those are the dead-letter queues'"#
    ]),
  BadFile(
    "a source's name with blanks",
    yaml: #"""
      sources: { "my app": { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:12: sources: expected a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long, got 'my app'"#
    ]),
  BadFile(
    "a name of 65 letters",
    yaml: #"""
      sources: { aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg: { type: stdin } }
      """#,
    mistakes: [
      #"p.yaml:1:12: sources: expected a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long, got 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff…'"#
    ]),
  BadFile(
    "a sink and a consumer of one name",
    yaml: #"""
      sources: { app: { type: stdin } }
      sinks: { nightly: { type: stdout } }
      consumers: { nightly: {} }
      """#,
    mistakes: [
      #"p.yaml:3:14: consumers: the name 'nightly' is taken in line 2; sinks and consumers of a file need different names"#
    ]),
  BadFile(
    "a consumer that is called like a sink's manifest",
    yaml: #"""
      sources: { app: { type: stdin } }
      consumers: { archive.files: {} }
      """#,
    mistakes: [
      #"p.yaml:2:14: consumers: a name can't end in '.files': such files stand beside the cursors"#
    ]),
]
