internal import ArgumentParser
internal import Glibc
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// The command line. Every command is a type of its own under Commands and Queue.
struct Sluice: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice",
    abstract:
      "Takes logs from fast producers, keeps them in a compressed queue on disk, and lets slow consumers draw them at their own pace.",
    discussion: """
      A pipeline file names sources, a queue and sinks; 'sluice run' runs it. A queue is a directory, and its sealed segments are ordinary gzip files of \
      lines: zcat reads them.

      \(ExitCode.table)
      """,
    subcommands: [
      RunCommand.self, ServeCommand.self, CheckCommand.self, PushCommand.self, PullCommand.self, TopCommand.self, QueueCommand.self,
      TokenCommand.self, DemoCommand.self, VersionCommand.self,
    ])

  /// Reads a command line. `--drain` may stand alone or with a value; a value is only ever joined to it, so that `--drain FILE` means
  /// what it seems to.
  static func parse(commandLine: [String]) throws -> any ParsableCommand {
    let end = commandLine.firstIndex(of: "--") ?? commandLine.endIndex
    let options = commandLine[..<end].map { $0 == "--drain" ? "--drain=\(DrainArgument.everything)" : $0 }
    return try parseAsRoot(options + commandLine[end...])
  }
}

@main
enum Main {
  static func main() async {
    Process.prepare()
    do {
      var command = try Sluice.parse(commandLine: Process.arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      end(with: error)
    }
  }

  /// Prints an error and ends the process with its exit code.
  private static func end(with error: any Error) -> Never {
    switch error {
    case let failure as CommandFailure:
      for (number, line) in failure.lines.enumerated() {
        DiagnosticOutput.shared.line((number == 0 ? "sluice: " : "") + Escaping.escaped(line))
      }
      exit(failure.code.rawValue)
    case let error as QueueClientError:
      DiagnosticOutput.shared.line("sluice: \(Escaping.escaped(error.description))")
      exit(ExitCode(error).rawValue)
    case let error as QueueError:
      DiagnosticOutput.shared.line("sluice: \(Escaping.escaped(error.description))")
      exit(ExitCode(error.code).rawValue)
    case let damage as BlockDamage:
      DiagnosticOutput.shared.line(
        "sluice: \(damage.sentence): the records behind it can be had by their offset; run 'sluice queue verify', which says which they are"
      )
      exit(ExitCode.damaged.rawValue)
    default:
      // Help and version requests come as errors too. ArgumentParser's own code for a wrong command line is 64.
      let code = Sluice.exitCode(for: error)
      let text = Sluice.fullMessage(for: error)
      // Help is ours; an error quotes the command line, which a shell may have made of file names.
      let message = code.isSuccess ? text : Escaping.lines(text)
      let fd = code.isSuccess ? STDOUT_FILENO : STDERR_FILENO
      if !message.isEmpty { Terminal.write(message.hasSuffix("\n") ? message : message + "\n", to: fd) }
      exit(code == .validationFailure ? ExitCode.usage.rawValue : code.rawValue)
    }
  }
}
