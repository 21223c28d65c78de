/// What the parts of a run tell each other: where the run stands, and what has ended.
struct RunState: Sendable {
  /// Where the run stands, for its sinks.
  var phase = RunPhase.running
  /// Someone asked the run to end.
  var stopRequested = false
  var sourcesEnded = false
  var sinksEnded = false
  /// Sources have ended and the queue has synced all that they wrote.
  var isDurable = false
  /// The last sync of a stop is over.
  var isSynchronised = false
  /// A source that never worked, and why.
  var failure: SourceFailure?
}
