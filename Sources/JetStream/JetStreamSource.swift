public import Logging
public import PipelineCore
public import RecordBlocks

/// Takes what ``JetStreamSink``s have published into the queue, each record once, in the order of its subject.
///
/// **Order of writes.** The checkpoint stands in the block of the records that it covers; the servers keep nothing for this source.
/// 1. A consumer without acknowledgements gives the messages of each subject pattern in order from behind the checkpoint. It ends with its
///    server or its connection, and is made anew from behind the last message that was dealt with.
/// 2. A message's headers say which offsets of which queue it covers. What is below the subject's `next` is known and passed over; a range
///    above it is a gap, once the stream's leader confirms that no message stands between.
/// 3. Each block's lines are written with `{sequence, queue, next}` of the subject and the pattern's position, in one batch; a gap with the
///    same, in one block. Both become durable together or neither: after a crash reading begins behind what is durable.
/// 4. While the queue is full nothing is asked for.
public final class JetStreamSource: Source {
  /// What a source is told.
  public struct Configuration: Sendable {
    /// The source's name, for log metadata.
    public var name: String
    /// The cluster.
    public var connection: ConnectionSettings
    /// The stream's name.
    public var stream: String
    /// Subjects with NATS's wildcards; a subject of two patterns counts for the first.
    public var subjects: [String]
    /// Which of those subjects this host takes.
    public var share: SubjectShare
    /// End where the stream ends now.
    public var once: Bool
    /// What goes wrong, and what was made of it.
    public var logger: Logger

    /// A source of all subjects.
    public init(
      name: String, connection: ConnectionSettings, stream: String, subjects: [String] = [">"], share: SubjectShare = .all,
      once: Bool = false, logger: Logger
    ) {
      self.name = name
      self.connection = connection
      self.stream = stream
      self.subjects = subjects
      self.share = share
      self.once = once
      self.logger = logger
    }
  }

  private let configuration: Configuration

  /// A source that has opened nothing yet.
  public init(_ configuration: Configuration) {
    precondition(!configuration.subjects.isEmpty, "a source needs subjects")
    self.configuration = configuration
  }

  /// Reads until the task is cancelled, or, with ``Configuration/once``, until the stream's end. Servers that are down, and a stream that
  /// isn't there yet, are waited for.
  public func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws {
    let reader = StreamReader(configuration, checkpoints)
    while true {
      do {
        return try await reader.read(into: output)
      } catch let failure as JetStreamFailure {
        try await Task.sleep(for: try reader.pause(after: failure))
      }
    }
  }
}
