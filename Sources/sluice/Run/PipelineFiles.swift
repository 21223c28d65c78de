internal import Glibc
internal import PipelineConfiguration

/// Pipeline files as the command line gives them.
enum PipelineFiles {
  /// Loads all; prints every mistake, one a line, before it fails.
  static func load(_ files: [String]) throws(CommandFailure) -> [PipelineDefinition] {
    do {
      return try PipelineLoader(environment: environment()).load(files)
    } catch {
      // As `FILE:LINE:COLUMN: message`, nothing before it: editors jump to that.
      for error in error.errors { DiagnosticOutput.shared.line(Escaping.escaped(error.description)) }
      throw CommandFailure(.usage, "")
    }
  }

  private static func environment() -> [String: String] {
    var environment: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
      let pair = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2 { environment[String(pair[0])] = String(pair[1]) }
      entry += 1
    }
    return environment
  }
}
