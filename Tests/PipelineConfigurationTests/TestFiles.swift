import Testing

@testable import PipelineConfiguration

/// Files in memory, an environment, and a loader over both; time zones and PCRE2 are the machine's.
struct TestFiles {
  var files: [String: [UInt8]] = [:]
  var environment: [String: String] = [:]

  init(_ files: [String: String] = [:], environment: [String: String] = [:]) {
    self.files = files.mapValues { Array($0.utf8) }
    self.environment = environment
  }

  var loader: PipelineLoader {
    let files = self.files
    return PipelineLoader(environment: environment, workingDirectory: "/work dir") { path, limit throws(ReadFailure) in
      guard let bytes = files[path] else { throw ReadFailure("No such file or directory") }
      guard bytes.count <= limit else { throw ReadFailure("it is larger than \(formatSize(limit))") }
      return bytes
    }
  }

  /// Loads these, or all files that look like pipelines in the order of their names.
  func load(_ names: [String]? = nil) throws(ConfigurationErrors) -> [PipelineDefinition] {
    try loader.load(names ?? files.keys.filter { $0.hasSuffix(".yaml") }.sorted())
  }

  /// What is wrong, one line each; empty when it loads.
  func mistakes(_ names: [String]? = nil) -> [String] {
    do throws(ConfigurationErrors) {
      _ = try load(names)
      return []
    } catch {
      return error.errors.map(\.description)
    }
  }
}

/// The mistakes of one file `p.yaml`.
func mistakes(_ yaml: String, environment: [String: String] = [:], files: [String: String] = [:]) -> [String] {
  var all = files
  all["p.yaml"] = yaml
  return TestFiles(all, environment: environment).mistakes(["p.yaml"])
}

/// The definition of one file `p.yaml`.
func pipeline(_ yaml: String, environment: [String: String] = [:], files: [String: String] = [:]) throws -> PipelineDefinition {
  var all = files
  all["p.yaml"] = yaml
  return try TestFiles(all, environment: environment).load(["p.yaml"])[0]
}

/// A pipeline file `p.yaml` with what must be said of it, all of it.
struct BadFile: CustomTestStringConvertible, Sendable {
  var name: String
  var yaml: String
  var mistakes: [String]

  init(_ name: String, yaml: String, mistakes: [String]) {
    self.name = name
    self.yaml = yaml
    self.mistakes = mistakes
  }

  var testDescription: String { name }
}
