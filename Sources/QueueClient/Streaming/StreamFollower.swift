internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// Follows one stream over as many answers as it takes: each goes on where the last event ended. One task's alone.
final class StreamFollower {
  private let client: QueueClient
  private let request: StreamRequest
  /// Where the next event begins; nil before the first.
  private var place: WireOffset?
  /// The answer that is read.
  private var reader: EventReader?
  /// Nothing has come from it yet.
  private var isFresh = false
  private var tries = QueueClient.Tries()
  private var hasFailed = false

  init(_ client: QueueClient, _ request: StreamRequest) {
    self.client = client
    self.request = request
    place = request.resume
  }

  /// The next event; nil once an error was thrown.
  func next() async throws(QueueClientError) -> StreamEvent? {
    guard !hasFailed else { return nil }
    while true {
      do throws(QueueClientError) { return try await read() } catch {
        reader = nil
        do throws(QueueClientError) { try await client.waitOut(error, &tries) } catch {
          hasFailed = true
          throw error
        }
      }
    }
  }

  private func read() async throws(QueueClientError) -> StreamEvent {
    if reader == nil {
      reader = try await open()
      isFresh = true
    }
    let found: WireEvent?
    do throws(EventReader.Failure) { found = try await reader!.next() } catch {
      switch error {
      case .transport(let error): throw client.explained(error)
      case .tooLong: throw client.notSluice("it sends an event that never ends")
      case .notAnEvent: throw client.notSluice("it sends what is no event of a stream")
      }
    }
    guard let found else { throw ended("it ended the stream without a word") }
    let event = try event(found)
    // A server that greets and falls silent, again and again, is no server that works.
    if !isFresh || event.next.offset != place?.offset {
      tries = QueueClient.Tries()
      client.noteAnswer()
    }
    isFresh = false
    place = event.next
    return event
  }

  private func open() async throws(QueueClientError) -> EventReader {
    var request = client.request(.GET, client.path(self.request.queue, "stream"), query: self.request.query)
    request.headers.add(name: "Accept", value: "application/x-ndjson")
    if let place { request.headers.add(name: "Last-Event-ID", value: place.description) }
    let response = try await client.send(request)
    guard response.headers.first(name: "Content-Type")?.lowercased().hasPrefix("application/x-ndjson") == true else {
      throw client.notSluice("it answers with something else than a stream")
    }
    // A byte of a line may become six.
    let longest = max(client.configuration.maximumRecordBytes, self.request.maxBytes)
    return EventReader(response.body, maximumBytes: longest * 6 + (64 << 10))
  }

  private func event(_ found: WireEvent) throws(QueueClientError) -> StreamEvent {
    switch found.type {
    case "records":
      guard let first = found.first, let next = found.next, let lines = found.lines, first.offset <= next.offset,
        next.offset - first.offset == UInt64(lines.count), !lines.isEmpty
      else { throw malformed(found) }
      try check(first)
      return .records(
        StreamedRecords(first: first, next: next, lines: lines, lagRecords: found.lag ?? 0, replacedLines: found.replaced ?? 0))
    case "gap":
      guard let first = found.first, let next = found.next, first.offset < next.offset, let reason = found.reason,
        let records = found.records, let bytes = found.bytes
      else { throw malformed(found) }
      try check(first)
      return .gap(PulledGap(first: first.offset, next: next.offset, reason: reason, records: records, bytes: bytes), next: next)
    case "heartbeat":
      guard let next = found.next else { throw malformed(found) }
      try check(next)
      return .heartbeat(next: next, lagRecords: found.lag ?? 0)
    case "end": throw ended(found.detail ?? "it ended the stream")
    case "error":
      guard let status = found.status, let detail = found.detail else { throw malformed(found) }
      var problem = Problem(status: status)
      problem.code = found.code
      problem.detail = detail
      throw QueueClientError(.refused, "\(client.configuration.address): \(detail)", "", problem: problem)
    default: throw malformed(found)
    }
  }

  /// Nothing is missing before an event, and nothing comes twice. Only who set a consumer elsewhere moves its place, and then between two
  /// answers, or forth.
  private func check(_ first: WireOffset) throws(QueueClientError) {
    guard let place else { return }
    let isNext =
      switch request.reader {
      case .place: first.offset == place.offset
      case .consumer: isFresh || first.offset >= place.offset
      }
    guard isNext else {
      throw QueueClientError(
        .brokenAnswer, "\(client.configuration.address): the stream goes on at \(first) where \(place) comes next",
        "look at what stands between here and the server, and at the server's log")
    }
  }

  private func malformed(_ found: WireEvent) -> QueueClientError {
    client.notSluice("an event '\(found.type.prefix(40))' of a stream is not what it should be")
  }

  private func ended(_ why: String) -> QueueClientError {
    QueueClientError(.brokenAnswer, "\(client.configuration.address): \(why)", "look into the server's log")
  }
}
