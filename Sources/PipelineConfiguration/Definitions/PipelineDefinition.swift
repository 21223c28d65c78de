/// One pipeline file, checked, with every default filled in: sources → queue → sinks.
///
/// Comes from ``PipelineLoader/load(_:)``. Where its values came from (which line) is gone: what could be wrong with them has been said.
public struct PipelineDefinition: Sendable, Equatable {
  /// The file as it was named to the loader.
  public var file: String
  /// The queue.
  public var queue: QueueDefinition
  /// The sources, in the file's order; at least one.
  public var sources: [SourceDefinition]
  /// The sinks, in the file's order; none is fine: the queue alone is read by others.
  public var sinks: [SinkDefinition]
  /// The pull consumers that exist, and are held for, from the first start on; in the file's order.
  public var consumers: [ConsumerDefinition]
  /// The HTTP side of the whole process; at most one of the files given has it.
  public var server: ServerDefinition?
  /// What is printed in place of values that came from `${file:…}`, by the dotted path of their key (`sources.app.paths.0`).
  public var redactions: [String: String]

  /// A pipeline of these parts.
  public init(
    file: String, queue: QueueDefinition, sources: [SourceDefinition], sinks: [SinkDefinition] = [], consumers: [ConsumerDefinition] = [],
    server: ServerDefinition? = nil, redactions: [String: String] = [:]
  ) {
    self.file = file
    self.queue = queue
    self.sources = sources
    self.sinks = sinks
    self.consumers = consumers
    self.server = server
    self.redactions = redactions
  }
}

extension PipelineDefinition: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The resolved pipeline as `sluice check` prints it, without secrets.
  public var description: String { ResolvedPipelines.text(of: [self]) }
  /// The same as ``description``.
  public var debugDescription: String { description }
  /// Shows the description only, so that `dump` tells no secret either.
  public var customMirror: Mirror { Mirror(self, children: ["pipeline": description]) }
}
