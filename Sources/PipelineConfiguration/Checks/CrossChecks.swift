/// A file's definition with the places of its values.
struct LocatedPipeline {
  var definition: PipelineDefinition
  var context: ReadingContext

  /// Where the value of a dotted path stands; the file's beginning for defaults.
  func place(_ path: String) -> Place {
    context.places[path] ?? Place(file: definition.file, line: 1, column: 1)
  }

  /// A text that may be told in errors: the value at `path` without what was substituted.
  func printable(_ path: String, default text: String) -> String { (context.redactedTexts[path] ?? text).quoted }
}

/// What can only be wrong when parts of a file, or several files, are looked at together.
struct CrossChecks {
  let pipelines: [LocatedPipeline]
  let diagnostics: Diagnostics
  let workingDirectory: String

  /// Runs all checks.
  func run() {
    checkQueues()
    checkOutputs()
    checkLoops()
    checkListeners()
    checkStandardStreams()
    checkServers()
  }

  // MARK: - Queues

  private func checkQueues() {
    var names: [String: Place] = [:]
    // The directories so far, and those above them: two are in one another's way when one is the other or lies above it.
    var directories: [String: Place] = [:]
    var parents: [String: Place] = [:]
    for pipeline in pipelines {
      let queue = pipeline.definition.queue
      let namePlace = pipeline.place("queue.name")
      if let first = names[queue.name] {
        diagnostics.report(
          namePlace, "queue.name: \(queue.name.quoted) is the queue of \(first.text) too; each file needs a queue of its own")
      }
      names[queue.name] = names[queue.name] ?? namePlace
      let place = pipeline.place("queue.path")
      let directory = normalized(queue.path, in: workingDirectory)
      let taken = [directory, directory + ".dead-letters"]
      if let other = taken.compactMap({ directories[$0] }).first {
        reportDirectory(pipeline, "is the same as", other)
      } else if let other = taken.compactMap({ parents[$0] }).first ?? ancestors(of: directory).compactMap({ directories[$0] }).first {
        reportDirectory(pipeline, "lies in the same tree as", other)
      }
      for path in taken { directories[path] = directories[path] ?? place }
      for path in ancestors(of: directory) { parents[path] = parents[path] ?? place }
    }
  }

  private func reportDirectory(_ pipeline: LocatedPipeline, _ relation: String, _ other: Place) {
    let shown = pipeline.printable("queue.path", default: pipeline.definition.queue.path)
    diagnostics.report(
      pipeline.place("queue.path"),
      "queue.path: \(shown) \(relation) a queue's directory of \(other.text); give each queue a directory of its own")
  }

  /// The directories above `path`, nearest first.
  private func ancestors(of path: String) -> [String] {
    var result: [String] = []
    var rest = path[...]
    while let slash = rest.lastIndex(of: "/"), slash > rest.startIndex {
      rest = rest[..<slash]
      result.append(String(rest))
    }
    return result
  }

  // MARK: - Outputs

  private struct Output {
    var pattern: PathPattern
    var place: Place
    var name: String
    var shown: String
    /// The text that all its paths begin with.
    var fixedPart: String
  }

  private func outputs(of pipeline: LocatedPipeline) -> [Output] {
    pipeline.definition.sinks.compactMap { sink in
      guard case .file(let file) = sink.kind, OutputPath.problem(file.path) == nil else { return nil }
      let path = "sinks.\(sink.name).path"
      let pattern = PathPattern(template: file.path, directory: workingDirectory)
      return Output(
        pattern: pattern, place: pipeline.place(path), name: path,
        shown: pipeline.printable(path, default: file.path), fixedPart: pattern.fixedPart)
    }
  }

  private func checkOutputs() {
    var queues: [String: String] = [:]
    for pipeline in pipelines {
      let directory = normalized(pipeline.definition.queue.path, in: workingDirectory)
      for path in [directory, directory + ".dead-letters"] { queues[path] = pipeline.definition.queue.name }
    }
    var earlier: [Output] = []
    for output in pipelines.flatMap(outputs) {
      // The beginnings tell most apart at once; only what is left is looked at byte by byte.
      let other = earlier.first {
        ($0.fixedPart.hasPrefix(output.fixedPart) || output.fixedPart.hasPrefix($0.fixedPart)) && $0.pattern.meets(output.pattern)
      }
      if let other {
        diagnostics.report(
          output.place, "\(output.name): \(output.shown) could name the same file as \(other.shown) of \(other.place.text)")
      }
      earlier.append(output)
      if let queue = ancestors(of: output.fixedPart).compactMap({ queues[$0] }).first {
        diagnostics.report(
          output.place, "\(output.name): \(output.shown) lies in the directory of the queue \(queue.quoted); write elsewhere")
      }
    }
  }

  /// A sink whose output is tailed into its own queue would feed itself for ever. With `exclude` the author has thought of it.
  private func checkLoops() {
    for pipeline in pipelines {
      for output in outputs(of: pipeline) {
        for source in pipeline.definition.sources {
          guard case .file(let file) = source.kind, file.exclude.isEmpty else { continue }
          for (index, glob) in file.paths.enumerated() where output.pattern.meets(PathPattern(glob: glob, directory: workingDirectory)) {
            let shown = pipeline.printable("sources.\(source.name).paths.\(index)", default: glob)
            diagnostics.report(
              output.place,
              "\(output.name): \(output.shown) is read again by source '\(source.name)' (\(shown)): a loop; write elsewhere, or exclude it there"
            )
          }
        }
      }
    }
  }

  // MARK: - Things there is one of

  private func checkListeners() {
    var earlier: [(address: ListenAddress, place: Place)] = []
    for pipeline in pipelines {
      for source in pipeline.definition.sources {
        guard case .syslog(let syslog) = source.kind else { continue }
        let path = "sources.\(source.name).listen"
        if let other = earlier.first(where: { $0.address.overlaps(syslog.listen) }) {
          diagnostics.report(
            pipeline.place(path),
            "\(path): \(pipeline.printable(path, default: "")) is listened on already by the source of \(other.place.text)")
        }
        earlier.append((syslog.listen, pipeline.place(path)))
      }
    }
  }

  private func checkServers() {
    var earlier: Place?
    for pipeline in pipelines where pipeline.definition.server != nil {
      let place = pipeline.place("server")
      if let earlier {
        diagnostics.report(place, "server: the process has one HTTP side, and it stands in \(earlier.text); remove one of the sections")
      }
      earlier = earlier ?? place
    }
  }

  private func checkStandardStreams() {
    var input: Place?
    var output: Place?
    for pipeline in pipelines {
      for source in pipeline.definition.sources {
        guard case .standardInput = source.kind else { continue }
        let place = pipeline.place("sources.\(source.name)")
        if let input { diagnostics.report(place, "sources.\(source.name): standard input is read already by the source of \(input.text)") }
        input = input ?? place
      }
      for sink in pipeline.definition.sinks where sink.kind.isStandardOutput {
        let place = pipeline.place("sinks.\(sink.name)")
        if let output { diagnostics.report(place, "sinks.\(sink.name): standard output is written already by the sink of \(output.text)") }
        output = output ?? place
      }
    }
  }
}
