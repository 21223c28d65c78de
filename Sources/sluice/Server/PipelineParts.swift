internal import FileTailSource
internal import PipelineRuntime
internal import QueueServer
internal import SystemPackage

/// What only the pipeline's definition and its components know of its sources and sinks, by their names.
struct PipelineParts: Sendable {
  var sourceTypes: [String: String] = [:]
  var sinkTypes: [String: String] = [:]
  var files: [String: @Sendable () -> SourceFacts.Files] = [:]
}

extension SourceFacts {
  init(_ status: SourceStatus, _ parts: PipelineParts, now: ContinuousClock.Instant) {
    self.init(name: status.name, type: parts.sourceTypes[status.name] ?? "", activity: "running")
    switch status.activity {
    case .running: break
    case .backingOff(let until):
      activity = "backing_off"
      secondsUntilRetry = max(0, (until - now).seconds)
    case .ended: activity = "ended"
    case .failed: activity = "failed"
    }
    records = status.records
    bytes = status.bytes
    recordsPerSecond = status.recordsPerSecond
    bytesPerSecond = status.bytesPerSecond
    lostRecords = status.lostRecords
    restarts = status.restarts
    lastError = status.lastError
    files = parts.files[status.name]?()
  }
}

extension SourceFacts.Files {
  init(_ files: (count: Int, newest: [FileTailSource.FollowedFile])) {
    self.init(
      count: files.count,
      newest: files.newest.map {
        SourceFacts.File(
          path: $0.path.string, position: $0.position, size: $0.size, quietSeconds: $0.quiet.seconds, isGone: $0.isGone)
      })
  }
}

extension SinkFacts {
  init(_ status: SinkStatus, _ parts: PipelineParts, now: ContinuousClock.Instant) {
    self.init(name: status.name, type: parts.sinkTypes[status.name] ?? "", activity: "starting")
    lastError = status.lastError
    switch status.activity {
    case .starting: break
    case .idle: activity = "idle"
    case .pacing: activity = "pacing"
    case .outsideWindow(let seconds):
      activity = "outside_window"
      secondsUntilOpen = Double(seconds)
    case .delivering: activity = "delivering"
    case .backingOff(let until):
      activity = "backing_off"
      secondsUntilRetry = max(0, (until - now).seconds)
    case .settingAside: activity = "setting_aside"
    case .ended: activity = "ended"
    case .refused(let reason):
      activity = "refused"
      lastError = reason
    }
    deliveredRecords = status.deliveredRecords
    deliveredBytes = status.deliveredBytes
    recordsPerSecond = status.recordsPerSecond
    bytesPerSecond = status.bytesPerSecond
    gapRecords = status.gapRecords
    retries = status.retries
    commits = status.commits
    deadLetters = status.deadLetters
    droppedRecords = status.dropped
  }
}
