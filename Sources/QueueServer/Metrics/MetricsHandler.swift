internal import Glibc
internal import Hummingbird
internal import RecordBlocks
internal import SegmentQueue

/// `/metrics`.
enum MetricsHandler {
  static func respond(_ call: Call) async throws -> Response {
    let server = call.server
    let text = try await server.pool.run {
      var text = MetricsText()
      writeQueues(server.shelf.all, to: &text)
      server.moreMetrics(&text)
      let connections = server.connections.snapshot
      text.add("sluice_http_connections", .gauge, "Open connections.", [Sample(connections.open)])
      text.add("sluice_http_accepted_connections_total", .counter, "Connections since the start.", [Sample(connections.accepted)])
      text.add(
        "sluice_http_stalled_connections_total", .counter, "Connections that were closed because they made no progress, by what stalled.",
        ConnectionStall.allCases.map { Sample(connections.stalled[$0] ?? 0, ("stall", $0.rawValue)) })
      text.add("sluice_http_waiting_requests", .gauge, "Pulls and streams that wait for records.", [Sample(server.waits.count)])
      text.add(
        "sluice_http_streams", .gauge, "Open streams.",
        server.shelf.all.map { Sample(server.metrics.openStreams(of: $0.name), ("queue", $0.name)) })
      text.add("sluice_http_status_listeners", .gauge, "Clients that are told the status each second.", [Sample(server.status.count)])
      text.add(
        "sluice_http_response_memory_bytes", .gauge, "Answers that clients have not read yet.", [Sample(server.budget.inUse)])
      server.metrics.write(to: &text)
      writeProcess(server, to: &text)
      return text.text
    }
    return Response(
      status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"], body: ResponseBody(byteBuffer: .init(string: text)))
  }

  private typealias Sample = MetricsText.Sample

  private static func writeQueues(_ queues: [ServedQueue], to text: inout MetricsText) {
    let all = queues.map { (name: $0.name, status: $0.queue.status(), forecasts: $0.attachments.forecasts()) }
    func queueFamily(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (QueueStatus) -> UInt64) {
      text.add(name, kind, help, all.map { Sample(value($0.status), ("queue", $0.name)) })
    }
    queueFamily("sluice_queue_records_total", .counter, "Records written since the queue's creation.") { $0.totalRecords }
    queueFamily("sluice_queue_bytes_total", .counter, "Bytes of lines written since the queue's creation.") { $0.totalBytes }
    queueFamily("sluice_queue_lost_records_total", .counter, "Records lost in gaps of the log since the queue's creation.") { $0.totalLost }
    text.add(
      "sluice_queue_dropped_records_total", .counter, "Records lost in gaps of the log since the process began, by reason.",
      all.flatMap { queue in queue.status.losses.map { Sample($0.records, ("queue", queue.name), ("reason", $0.reason.name)) } })
    text.add(
      "sluice_queue_dropped_bytes_total", .counter, "Bytes of lines lost in gaps of the log since the process began, by reason.",
      all.flatMap { queue in queue.status.losses.map { Sample($0.bytes, ("queue", queue.name), ("reason", $0.reason.name)) } })
    queueFamily("sluice_queue_stored_bytes", .gauge, "Bytes of its segments on the disk.") { $0.storedBytes }
    queueFamily("sluice_queue_max_bytes", .gauge, "The bound of sluice_queue_stored_bytes.") { $0.maxSize }
    queueFamily("sluice_queue_segments", .gauge, "Files of blocks.") { UInt64($0.segmentCount) }
    queueFamily("sluice_queue_in_flight_bytes", .gauge, "Bytes of lines admitted and not yet written.") { UInt64($0.inFlightBytes) }
    queueFamily("sluice_queue_durable_end", .gauge, "The offset before which everything is on the disk.") { $0.durableEnd.rawValue }
    queueFamily("sluice_queue_start_offset", .gauge, "The oldest offset kept.") { $0.startOffset.rawValue }
    queueFamily("sluice_queue_full", .gauge, "1 while it has no room.") { $0.isFull ? 1 : 0 }
    text.add(
      "sluice_queue_seconds_until_full", .gauge, "At the present rate; absent while it doesn't get fuller.",
      all.compactMap { queue in queue.forecasts.secondsUntilFull.map { Sample($0, ("queue", queue.name)) } })
    func consumerFamily(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (ConsumerStatus) -> UInt64) {
      text.add(
        name, kind, help,
        all.flatMap { queue in
          queue.status.consumers.map {
            Sample(value($0), ("queue", queue.name), ("consumer", $0.name), ("kind", $0.kind == .sink ? "sink" : "pull"))
          }
        })
    }
    func leaseFamily(_ name: String, _ help: String, _ value: (LeaseStatus) -> Int) {
      text.add(
        name, .gauge, help,
        all.flatMap { queue in
          queue.status.consumers.compactMap { consumer in
            consumer.leases.map { Sample(value($0), ("queue", queue.name), ("consumer", consumer.name)) }
          }
        })
    }
    leaseFamily("sluice_consumer_leases", "Ranges on loan to a consumer's workers.") { $0.onLoan }
    leaseFamily("sluice_consumer_leases_waiting", "Ranges that came back, to be lent again.") { $0.waiting }
    leaseFamily("sluice_consumer_acknowledged_ranges", "Ranges acknowledged before what is in front of them.") { $0.acknowledgedAhead }
    consumerFamily("sluice_consumer_lag_records", .gauge, "Durable records that it has not committed yet.") { $0.lagRecords }
    consumerFamily("sluice_consumer_lag_bytes", .gauge, "The same in bytes of lines.") { $0.lagBytes }
    consumerFamily("sluice_consumer_pinned_bytes", .gauge, "Stored bytes from its place to the end.") { $0.pinnedBytes }
    consumerFamily("sluice_consumer_lost_records_total", .counter, "Records that were deleted before it read them.") { $0.lostRecords }
    consumerFamily("sluice_consumer_lost_bytes_total", .counter, "The same in bytes of lines.") { $0.lostBytes }
    text.add(
      "sluice_consumer_silent_seconds", .gauge, "Since its last call; 0 for a sink that runs.",
      all.flatMap { queue in
        queue.status.consumers.map { Sample($0.silence.components.seconds, ("queue", queue.name), ("consumer", $0.name)) }
      })
    text.add(
      "sluice_consumer_seconds_until_data_loss", .gauge, "At the present rates; absent while nothing threatens it.",
      all.flatMap { queue in
        queue.forecasts.secondsUntilLoss.sorted { $0.key < $1.key }.map { Sample($0.value, ("queue", queue.name), ("consumer", $0.key)) }
      })
  }

  private static func writeProcess(_ server: ServerCore, to text: inout MetricsText) {
    text.add("sluice_build_info", .gauge, "1, with the version.", [Sample(1, ("version", server.version))])
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return }
    let seconds = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    text.add("process_cpu_seconds_total", .counter, "User and system CPU time.", [Sample(seconds)])
    text.add("process_start_time_seconds", .gauge, "When the server began, since 1970.", [Sample(server.startTime)])
  }
}
