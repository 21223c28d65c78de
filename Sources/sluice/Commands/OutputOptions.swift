internal import ArgumentParser
internal import Glibc

/// How facts are printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
  case text, json
}

/// `--output`, for every command that prints facts.
struct OutputOptions: ParsableArguments {
  @Option(name: .customLong("output"), help: ArgumentHelp("Print for people (text) or for programs (json).", valueName: "text|json"))
  var format: OutputFormat = .text

  /// Prints facts to standard output, in the form asked for.
  func print(_ facts: @autoclosure () -> JSONValue, text: @autoclosure () -> String) throws(CommandFailure) {
    try StandardOutput.write(format == .json ? facts().pretty + "\n" : text())
  }
}

/// Standard output, with its errors told.
enum StandardOutput {
  static func write(_ text: String) throws(CommandFailure) {
    var text = text
    let code = text.withUTF8 { Terminal.writeAll(UnsafeRawBufferPointer($0), to: STDOUT_FILENO) }
    if code != 0 { throw failure(code) }
  }

  static func write(_ bytes: UnsafeRawBufferPointer) throws(CommandFailure) {
    let code = Terminal.writeAll(bytes, to: STDOUT_FILENO)
    if code != 0 { throw failure(code) }
  }

  /// A reader that has seen enough (`| head`) is no failure worth words, but what was not written isn't success either.
  private static func failure(_ code: Int32) -> CommandFailure {
    code == EPIPE
      ? CommandFailure(.failure, "") : CommandFailure(.failure, "cannot write to standard output: \(String(cString: strerror(code)))")
  }
}
