internal import HTTPTypes
internal import NIOCore
internal import RecordBlocks
internal import SegmentQueue

/// One event of a stream, written for both forms at once: many streams may send the same.
///
///     event: records
///     id: 3-1042
///     data: {"type":"records","first":"3-1040","next":"3-1042", …}
///
/// is what Server-Sent Events have, with an empty line behind it; one JSON object a line is what stands behind `data: `. JSON has no line
/// feed and no carriage return as they are, so nothing in a record can end an event.
final class StreamEvent: Sendable {
  /// Where the stream stands behind it.
  let next: RecordBlocks.Offset
  let recordCount: Int
  /// Bytes of lines.
  let byteCount: Int
  /// Its part of the memory for answers, for as long as somebody sends it.
  private let share: ResponseBudget.Share?
  private let text: ByteBuffer
  private let dataStart: Int

  /// Its bytes in a form.
  func bytes(in form: StreamParameters.Form) -> ByteBuffer {
    switch form {
    case .sse: return text
    case .ndjson:
      var line = text
      line.moveReaderIndex(to: dataStart)
      line.moveWriterIndex(to: text.writerIndex - 1)
      return line
    }
  }

  /// What it holds in memory.
  var memoryByteCount: Int { text.readableBytes }

  // MARK: The kinds

  /// Records.
  /// - Throws: `BlockDamage` when a block with right checksums doesn't hold what its header says.
  init(records range: PulledBatch.Range, of queue: SegmentQueue, _ share: ResponseBudget.Share) throws(BlockDamage) {
    let (first, next) = ("\(queue.place(range.first))", "\(queue.place(range.next))")
    var text = ByteBuffer()
    text.reserveCapacity(range.byteCount + range.byteCount / 8 + 512)
    Self.begin("records", id: next, in: &text)
    dataStart = text.writerIndex
    text.writeString("{\"type\":\"records\",\"first\":\"\(first)\",\"next\":\"\(next)\",\"lag\":\(range.lag.records),\"lines\":[")
    var writer = StreamLineWriter()
    for slice in range.slices { writer.write(try slice.lines(), to: &text) }
    text.writeString(writer.replacedCount > 0 ? "],\"replaced\":\(writer.replacedCount)}\n\n" : "]}\n\n")
    (self.next, recordCount, byteCount) = (range.next, range.recordCount, range.byteCount)
    self.text = text
    self.share = share
    share.resize(to: text.readableBytes)
  }

  /// Records that are gone.
  static func gap(_ gap: Gap, from first: RecordBlocks.Offset, to next: RecordBlocks.Offset, of queue: SegmentQueue) -> StreamEvent {
    struct Told: Encodable {
      var type = "gap"
      var first: String
      var next: String
      var reason: String
      var records: UInt64
      var bytes: UInt64
    }
    let (from, to) = ("\(queue.place(first))", "\(queue.place(next))")
    return StreamEvent(
      "gap", id: to, at: next, Told(first: from, next: to, reason: gap.reason.name, records: gap.records, bytes: gap.bytes))
  }

  /// Nothing came for a while.
  static func heartbeat(at place: RecordBlocks.Offset, of queue: SegmentQueue) -> StreamEvent {
    struct Told: Encodable {
      var type = "heartbeat"
      var next: String
      var lag: Int
    }
    let next = "\(queue.place(place))"
    return StreamEvent("heartbeat", id: next, at: place, Told(next: next, lag: max(place, queue.durableEnd) - place))
  }

  /// The stream is over, and nothing is wrong.
  static func end(_ code: String, _ detail: String, at place: RecordBlocks.Offset, of queue: SegmentQueue) -> StreamEvent {
    struct Told: Encodable {
      var type = "end"
      var next: String
      var code: String
      var detail: String
    }
    return StreamEvent("end", id: nil, at: place, Told(next: "\(queue.place(place))", code: code, detail: detail))
  }

  /// The stream can't go on.
  static func error(_ problem: Problem, at place: RecordBlocks.Offset) -> StreamEvent {
    struct Told: Encodable {
      var type = "error"
      var status: Int
      var code: String
      var detail: String
    }
    return StreamEvent("error", id: nil, at: place, Told(status: problem.status.code, code: problem.code, detail: problem.detail))
  }

  private init(_ type: String, id: String?, at place: RecordBlocks.Offset, _ told: some Encodable) {
    var text = ByteBuffer()
    Self.begin(type, id: id, in: &text)
    dataStart = text.writerIndex
    // Ends with a line feed.
    var json = JSONAnswer.encode(told)
    text.writeBuffer(&json)
    text.writeString("\n")
    self.text = text
    (next, recordCount, byteCount, share) = (place, 0, 0, nil)
  }

  private static func begin(_ type: String, id: String?, in text: inout ByteBuffer) {
    text.writeString("event: \(type)\n")
    if let id { text.writeString("id: \(id)\n") }
    text.writeString("data: ")
  }
}
