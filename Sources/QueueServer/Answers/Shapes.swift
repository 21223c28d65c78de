internal import PipelineConfiguration
internal import RecordBlocks
internal import SegmentQueue

/// A queue, as the API tells of it.
struct QueueShape: Encodable {
  var name: String
  var id: String
  var epoch: UInt32
  var startOffset: String
  var durableEnd: String
  var records: UInt64
  var bytes: UInt64
  var lostRecords: UInt64
  var storedBytes: UInt64
  var maxSize: UInt64
  var segments: Int
  var isFull: Bool
  var fullBecauseOf: String?
  var secondsUntilFull: Double?
  var consumers: [ConsumerShape]

  init(_ served: ServedQueue) { self.init(served, served.queue.status(), served.attachments.forecasts()) }

  init(_ served: ServedQueue, _ status: QueueStatus, _ forecasts: QueueForecasts, _ activity: QueueActivity? = nil) {
    let queue = served.queue
    name = served.name
    id = "\(status.id)"
    epoch = status.epoch
    startOffset = "\(queue.place(status.startOffset))"
    durableEnd = "\(queue.place(status.durableEnd))"
    records = status.totalRecords
    bytes = status.totalBytes
    lostRecords = status.totalLost
    storedBytes = status.storedBytes
    maxSize = status.maxSize
    segments = status.segmentCount
    isFull = status.isFull
    fullBecauseOf = status.fullBecauseOf
    secondsUntilFull = forecasts.secondsUntilFull
    consumers = status.consumers.map { ConsumerShape($0, of: served, forecasts, activity?.consumers[$0.name]) }
  }
}

/// A consumer, as the API tells of it.
struct ConsumerShape: Encodable {
  var name: String
  var kind: String
  var mode: String
  var cursor: String
  var hold: String
  var lagRecords: UInt64
  var lagBytes: UInt64
  var pinnedBytes: UInt64
  var lostRecords: UInt64
  var lostBytes: UInt64
  var silentSeconds: Double
  var secondsUntilLoss: Double?
  var failure: String?
  var leases: Leases?

  /// The ranges of a consumer of leases.
  struct Leases: Encodable {
    var onLoan: Int
    var waiting: Int
    var acknowledgedAhead: Int
    var maxDeliveries: Int
  }

  /// Only in the status, which is looked at again and again.
  var recordsPerSecond: Double?
  var bytesPerSecond: Double?
  var lagBytesPerSecond: Double?
  var lossCause: String?

  init(_ status: ConsumerStatus, of served: ServedQueue, _ forecasts: QueueForecasts, _ activity: QueueActivity.Consumer? = nil) {
    name = status.name
    kind = status.kind == .sink ? "sink" : "pull"
    mode = status.kind == .lease ? "lease" : "cursor"
    leases = status.leases.map {
      Leases(onLoan: $0.onLoan, waiting: $0.waiting, acknowledgedAhead: $0.acknowledgedAhead, maxDeliveries: $0.maxDeliveries)
    }
    cursor = "\(served.queue.place(status.cursor))"
    hold = QuantityText.text(of: HoldDefinition(status.hold))
    lagRecords = status.lagRecords
    lagBytes = status.lagBytes
    pinnedBytes = status.pinnedBytes
    lostRecords = status.lostRecords
    lostBytes = status.lostBytes
    silentSeconds = Double(status.silence.components.seconds)
    secondsUntilLoss = forecasts.secondsUntilLoss[status.name]
    failure = status.failure == nil ? nil : "its file can't be read; the server's log says why and what to do"
    recordsPerSecond = activity?.recordsPerSecond
    bytesPerSecond = activity?.bytesPerSecond
    lagBytesPerSecond = activity?.lagBytesPerSecond
    lossCause = activity?.lossCause
  }
}

extension HoldDefinition {
  init(_ hold: Hold) {
    switch hold {
    case .all: self = .all
    case .bytes(let bytes): self = .bytes(Int(clamping: bytes))
    case .share(let percent): self = .share(percent: percent)
    case .age(let age): self = .duration(age)
    }
  }

  var hold: Hold {
    switch self {
    case .all: .all
    case .bytes(let bytes): .bytes(UInt64(bytes))
    case .share(let percent): .share(percent: percent)
    case .duration(let age): .age(age)
    }
  }
}
