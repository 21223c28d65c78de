internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import Testing

@testable internal import sluice

@Suite struct ArgumentTests {
  @Test func `an offset is oldest, newest or a number`() {
    #expect(OffsetArgument(argument: "oldest") == .oldest)
    #expect(OffsetArgument(argument: "newest") == .newest)
    #expect(OffsetArgument(argument: "4812345") == .at(Offset(4_812_345)))
    #expect(OffsetArgument(argument: "7-42") == .told(WireOffset(epoch: 7, offset: 42)))
    #expect(OffsetArgument(argument: "2026-09-01T08:30:00Z") == .time("2026-09-01T08:30:00Z"))
    for wrong in ["", "2026-09-01", "7-", "-1", "1.5", "0x10", "Oldest", "99999999999999999999"] {
      #expect(OffsetArgument(argument: wrong) == nil)
    }
  }

  @Test func `an offset after the end is an error that names the range`() throws {
    let kept = Offset(10)..<Offset(20)
    #expect(try OffsetArgument.oldest.resolved(in: kept, of: "q") == Offset(10))
    #expect(try OffsetArgument.newest.resolved(in: kept, of: "q") == Offset(20))
    #expect(try OffsetArgument.at(Offset(3)).resolved(in: kept, of: "q") == Offset(3))
    #expect(try OffsetArgument.told(WireOffset(epoch: 9, offset: 12)).resolved(in: kept, of: "q") == Offset(12))
    #expect(throws: CommandFailure.self) { try OffsetArgument.time("2026-09-01T08:30:00Z").resolved(in: kept, of: "q") }
    let error = #expect(throws: CommandFailure.self) { try OffsetArgument.at(Offset(21)).resolved(in: kept, of: "data/q") }
    #expect(error?.code == .usage)
    #expect(error?.message == "offset 21 is after the end of data/q, which keeps 10..<20")
  }

  @Test(arguments: [("20s", 20.0), ("500ms", 0.5), ("1h", 3600), ("2min", 120), ("1.5s", 1.5), ("0s", 0), ("1d", 86_400)])
  func `durations carry a unit`(text: String, seconds: Double) {
    #expect(DurationArgument(argument: text)?.duration.seconds == seconds)
  }

  @Test(arguments: ["", "20", "s", "-1s", "1.s", ".5s", "1e3s", "1 week", "99999999999999999d"])
  func `what is no duration is refused`(text: String) {
    #expect(DurationArgument(argument: text) == nil)
  }

  @Test(arguments: [("1", 1), ("64MiB", 64 << 20), ("500kB", 500_000), ("1.5KiB", 1536)])
  func `sizes may carry a unit`(text: String, bytes: Int) {
    #expect(SizeArgument(argument: text)?.bytes == bytes)
  }

  @Test(arguments: ["", "0", "-1", "MiB", "1mib", "1 GiBs"])
  func `what is no size is refused`(text: String) {
    #expect(SizeArgument(argument: text) == nil)
  }
}

@Suite struct CommandLineTests {
  private func refusal(_ arguments: [String]) -> String? {
    do {
      _ = try Sluice.parse(commandLine: arguments)
      return nil
    } catch {
      return Sluice.message(for: error)
    }
  }

  @Test(arguments: [
    ["run", "a.yaml", "b.yaml", "--once", "--drain"], ["run", "--drain", "a.yaml"],
    ["run", "a.yaml", "--drain=30s", "--log-format", "json", "--log-level", "debug", "--no-status"],
    ["check", "a.yaml", "--output", "json"], ["push", "data/q", "--create"],
    ["pull", "data/q", "--consumer", "c", "--commit", "--create", "--from", "newest", "--output", "x.gz"],
    ["pull", "data/q", "--max-records", "10", "--max-bytes", "1MiB", "--wait", "20s", "--follow"], ["queue", "list"],
    ["queue", "list", "data", "--output", "json"],
    ["queue", "show", "q"], ["queue", "cat", "q", "--from", "7", "--count", "3", "--gaps"], ["queue", "verify", "q"],
    ["queue", "seek", "q", "c", "oldest"],
    [
      "pull", "q", "--server", "http://h:1", "--consumer", "c", "--commit", "--follow", "--exec", "cat", "--batch-records", "9",
      "--skip-lost",
    ],
    ["pull", "q", "--server", "unix:/s", "--token-file", "t", "--ca", "c.pem", "--from", "2026-09-01T00:00:00Z", "--batch-bytes", "8MiB"],
    ["push", "q", "--server", "http://h:1"], ["queue", "list", "--server", "http://h:1"], ["queue", "consumers", "q"],
    ["queue", "consumers", "create", "q", "c", "--from", "newest", "--hold", "7d"], ["queue", "consumers", "delete", "q", "c"],
    ["queue", "seal", "q"], ["queue", "trim", "q", "--before", "100", "--force"], ["version"],
    ["token", "web", "--scope", "read@app-logs", "--scope", "write@app-*", "--append", "tokens"],
    ["queue", "put-back", "q", "--sink", "post", "--output", "json"], ["queue", "cat", "q.dead-letters", "--decode"],
  ])
  func `every documented form is understood`(arguments: [String]) {
    #expect(refusal(arguments) == nil)
  }

  @Test(arguments: [
    (["run"], "FILE"),
    (["queue", "list", "data", "--server", "http://h"], "one of them"), (["pull", "q", "--batch-bytes", "65MiB"], "64MiB"),
    (["run", "a.yaml", "--drain=soon"], "soon"), (["pull", "q", "--commit"], "--consumer"),
    (["pull", "q", "--consumer", "c", "--from", "1"], "seek"), (["pull", "q", "--create"], "--commit"),
    (["pull", "q", "--output", "a", "--exec", "b"], "one of them"),
    (["pull", "q", "--max-records", "0"], "1 or more"), (["queue", "seek", "q", "c", "yesterday"], "yesterday"),
    (["queue", "trim", "q"], "--before"),
    (["queue", "show", "q", "--output", "xml"], "xml"), (["token", "web"], "--scope"), (["token", "Web", "--scope", "read@*"], "a-z"),
    (["token", "web", "--scope", "reed@*"], "reed@*"),
    (["queue", "put-back", "q"], "--sink"),
    (["queue", "put-back", "q.dead-letters", "--sink", "post"], "the pipeline's queue"),
    (["queue", "show", "q", "--output", "xml"], "xml"),
  ])
  func `what can't be done is refused with the reason`(arguments: [String], word: String) throws {
    let message = try #require(refusal(arguments))
    #expect(message.contains(word), "\(message)")
  }

  @Test func `the help of each command that can fail in more than one way tells the exit codes`() {
    let commands: [any ParsableCommand.Type] = [Sluice.self, RunCommand.self, PushCommand.self, PullCommand.self, QueueCommand.self]
    for command in commands {
      let help = Sluice.helpMessage(for: command, columns: 400)
      for code in ExitCode.allCases { #expect(help.contains("\(code.rawValue)   \(code.meaning)"), "\(command)") }
    }
  }
}
