/// Pipelines with every default filled in and no secret in them, for `sluice check` and for the log at start.
public enum ResolvedPipelines {
  /// As YAML: what `load` would take again, but for what is redacted. One document a pipeline, each after a comment with its file.
  public static func text(of pipelines: [PipelineDefinition]) -> String {
    pipelines.map { pipeline in
      var text = "# \(pipeline.file.withoutControls)\n"
      ResolvedValue(pipeline).writeYAML(to: &text)
      return text
    }.joined(separator: "---\n")
  }

  /// As JSON: an array with one object a pipeline, the same keys and values as ``text(of:)`` beside `file`. Ends with a line feed.
  public static func json(of pipelines: [PipelineDefinition]) -> String {
    var text = ""
    let values = pipelines.map { pipeline in
      guard case .map(let entries) = ResolvedValue(pipeline) else { return ResolvedValue.map([]) }
      return .map([("file", .text(pipeline.file))] + entries)
    }
    ResolvedValue.list(values).writeJSON(to: &text)
    return text + "\n"
  }
}
