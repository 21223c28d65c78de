internal import Synchronization

/// What the server counts about itself, from its start on.
final class ServerMetrics: Sendable {
  private struct Requests: Hashable {
    var operation: String
    var code: Int
  }
  private struct Traffic {
    var deliveredRecords = 0
    var deliveredBytes = 0
    var pushedRecords = 0
    var pushedBytes = 0
    var leases = 0
    var leasesAgain = 0
    var setAsideRecords = 0
  }
  private struct State {
    var requests: [Requests: Int] = [:]
    var traffic: [String: Traffic] = [:]
    var streams: [String: Int] = [:]
  }

  private let state = Mutex(State())

  func answered(_ operation: String, code: Int) {
    state.withLock { $0.requests[Requests(operation: operation, code: code), default: 0] += 1 }
  }

  func delivered(records: Int, bytes: Int, of queue: String) {
    state.withLock {
      $0.traffic[queue, default: Traffic()].deliveredRecords += records
      $0.traffic[queue, default: Traffic()].deliveredBytes += bytes
    }
  }

  func pushed(records: Int, bytes: Int, of queue: String) {
    state.withLock {
      $0.traffic[queue, default: Traffic()].pushedRecords += records
      $0.traffic[queue, default: Traffic()].pushedBytes += bytes
    }
  }

  func lent(isAgain: Bool, of queue: String) {
    state.withLock {
      $0.traffic[queue, default: Traffic()].leases += 1
      if isAgain { $0.traffic[queue, default: Traffic()].leasesAgain += 1 }
    }
  }

  func setAside(records: Int, of queue: String) {
    state.withLock { $0.traffic[queue, default: Traffic()].setAsideRecords += records }
  }

  func streamOpened(of queue: String) { state.withLock { $0.streams[queue, default: 0] += 1 } }
  func streamClosed(of queue: String) { state.withLock { $0.streams[queue, default: 1] -= 1 } }

  /// Streams of a queue that are open now.
  func openStreams(of queue: String) -> Int { state.withLock { $0.streams[queue] ?? 0 } }

  func write(to text: inout MetricsText) {
    let (requests, traffic) = state.withLock { ($0.requests, $0.traffic.sorted { $0.key < $1.key }) }
    text.add(
      "sluice_http_requests_total", .counter, "Requests that were answered.",
      requests.sorted { ($0.key.operation, $0.key.code) < ($1.key.operation, $1.key.code) }.map {
        MetricsText.Sample($0.value, ("operation", $0.key.operation), ("code", "\($0.key.code)"))
      })
    func family(_ name: String, _ help: String, _ value: KeyPath<Traffic, Int>) {
      text.add(name, .counter, help, traffic.map { MetricsText.Sample($0.value[keyPath: value], ("queue", $0.key)) })
    }
    family("sluice_http_delivered_records_total", "Records given by pulls and streams, repeated ones each time.", \.deliveredRecords)
    family("sluice_http_delivered_bytes_total", "Bytes of lines given by pulls and streams, before compression.", \.deliveredBytes)
    family("sluice_http_pushed_records_total", "Records pushed in, repeated ones each time.", \.pushedRecords)
    family("sluice_http_pushed_bytes_total", "Bytes of lines pushed in.", \.pushedBytes)
    family("sluice_leases_granted_total", "Ranges lent to workers, repeated ones each time.", \.leases)
    family("sluice_leases_redelivered_total", "Those of them that had been lent before.", \.leasesAgain)
    family("sluice_leases_set_aside_records_total", "Records that no worker acknowledged, set aside.", \.setAsideRecords)
  }
}
