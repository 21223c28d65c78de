internal import Logging
internal import SegmentQueue

extension Logger {
  /// What a queue tells, as log lines of its name.
  func notices(of queue: String) -> @Sendable (QueueNotice) -> Void {
    { notice in
      var metadata: Logger.Metadata = ["queue.name": .string(queue)]
      for (key, value) in notice.metadata { metadata[key] = .string(value) }
      let level: Logger.Level =
        switch notice.level {
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
      log(level: level, "\(notice.message)", metadata: metadata)
    }
  }
}
