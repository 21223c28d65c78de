public import PipelineCore
public import SegmentQueue

/// A source that is ready to run.
public struct SourcePlan: Sendable {
  /// The source's name in the queue; its checkpoints are found by it.
  public var name: String
  /// The input.
  public var source: any Source
  /// What happens to it when the queue is full.
  public var whenFull: WhenFull

  /// A source.
  public init(name: String, source: any Source, whenFull: WhenFull = .wait) {
    self.name = name
    self.source = source
    self.whenFull = whenFull
  }
}
