// The one place that needs Foundation: it knows the rules of all time zones.
internal import Foundation
internal import PipelineConfiguration
internal import PipelineRuntime
internal import SegmentQueue

// What pipeline files say, in the words of the queue and the runtime.

extension QueueOptions {
  init(_ definition: QueueDefinition) {
    self.init()
    maxSize = UInt64(definition.maxSize)
    minFreeDisk = UInt64(definition.minFreeDisk)
    overflow = definition.overflow == .wait ? .wait : .dropOldest
    switch definition.sync {
    case .eachBlock: sync = .eachBlock
    case .interval(let interval): sync = .interval(interval)
    case .never: sync = .never
    }
    linger = definition.linger
    keep = definition.retention.keep
    maxAge = definition.retention.maxAge
    consumerExpiry = definition.retention.consumerExpiry
  }
}

extension StartAt {
  init(_ definition: StartDefinition) {
    switch definition {
    case .oldest: self = .oldest
    case .newest: self = .newest
    }
  }
}

extension Hold {
  init(_ definition: HoldDefinition) {
    switch definition {
    case .all: self = .all
    case .bytes(let bytes): self = .bytes(UInt64(bytes))
    case .share(let percent): self = .share(percent: percent)
    case .duration(let duration): self = .age(duration)
    }
  }
}

extension WhenFull {
  init(_ definition: SourceDefinition.WhenFull) {
    switch definition {
    case .wait: self = .wait
    case .dropNewest: self = .dropNewest
    }
  }
}

extension LocalWindow {
  init(_ window: PullDefinition.Window, timezone: String) {
    let zone = timezone == "UTC" ? nil : TimeZone(identifier: timezone)
    self.init(startMinute: window.start, endMinute: window.end % 1440) { second in
      zone?.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(second))) ?? 0
    }
  }
}
