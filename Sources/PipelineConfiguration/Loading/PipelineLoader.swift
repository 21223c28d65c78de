/// Turns pipeline files into checked definitions. Opens nothing but the files themselves and those that `${file:…}` names.
///
/// ```swift
/// let loader = PipelineLoader(environment: ProcessInfo.processInfo.environment)
/// do { pipelines = try loader.load(["pipelines/app-logs.yaml"]) } catch { print(error) }  // pipelines/app-logs.yaml:12:5: unknown key …
/// ```
public struct PipelineLoader: Sendable {
  /// Gives a file's bytes, at most `limit`; a longer file is a failure.
  public typealias ReadFile = @Sendable (_ path: String, _ limit: Int) throws(ReadFailure) -> [UInt8]

  private let environment: [String: String]
  private let readFile: ReadFile
  private let workingDirectory: String
  /// What is wrong with a pattern; tests stand in for a machine without PCRE2.
  var checkPattern: @Sendable (String) -> String? = { Pattern.problem($0) }

  /// A loader.
  /// - Parameters:
  ///   - environment: What `${NAME}` stands for.
  ///   - workingDirectory: What relative paths are relative to when two are compared; absolute.
  ///   - readFile: How files are read.
  public init(
    environment: [String: String], workingDirectory: String = PipelineLoader.currentDirectory(),
    readFile: @escaping ReadFile = { path, limit throws(ReadFailure) in try PipelineLoader.readRegularFile(path, limit: limit) }
  ) {
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.readFile = readFile
  }

  /// Loads all files, which run in one process, and checks each and all together. Blocking (reads files).
  /// - Returns: a definition for each file, in order.
  /// - Throws: every mistake that was found, not only the first.
  public func load(_ files: [String]) throws(ConfigurationErrors) -> [PipelineDefinition] {
    let diagnostics = Diagnostics()
    var pipelines: [LocatedPipeline] = []
    var seen = Set<String>()
    for file in files {
      guard seen.insert(normalized(file, in: workingDirectory)).inserted else {
        diagnostics.report(Place(file: file), "the file is given twice")
        continue
      }
      if let pipeline = read(file, diagnostics) { pipelines.append(pipeline) }
    }
    CrossChecks(pipelines: pipelines, diagnostics: diagnostics, workingDirectory: workingDirectory).run()
    guard diagnostics.isEmpty else { throw diagnostics.sorted(files: files) }
    return pipelines.map(\.definition)
  }

  private func read(_ file: String, _ diagnostics: Diagnostics) -> LocatedPipeline? {
    let bytes: [UInt8]
    do throws(ReadFailure) {
      bytes = try readFile(file, YAMLText.maximumBytes)
    } catch {
      diagnostics.report(Place(file: file), "cannot read the file: \(error.reason)")
      return nil
    }
    guard let root = YAMLDocument.read(bytes, file: file, diagnostics: diagnostics) else { return nil }
    if root.isNothing {
      diagnostics.report(root.place, "the file is empty; a pipeline needs at least 'sources:'")
      return nil
    }
    let context = ReadingContext(
      file: file, diagnostics: diagnostics, substitution: Substitution(environment: environment, readFile: readFile))
    let reader = PipelineReader(context: context, checkPattern: checkPattern)
    return reader.read(root).map { LocatedPipeline(definition: $0, context: context) }
  }
}
