import RecordBlocks
import Testing

@testable import JetStream

@Suite struct SubjectPlaceTests {
  private let queue = QueueID(high: 1, low: 2)

  private func range(_ first: UInt64, _ next: UInt64, start: UInt64 = 0, queue: QueueID? = nil) -> RangeHeader {
    RangeHeader(queue: queue ?? self.queue, first: Offset(first), next: Offset(next), start: Offset(start), writer: 1)
  }

  @Test func `what is below the next offset is known, what is above it is missing`() {
    var place = SubjectPlace(sequence: 5, queue: queue, next: Offset(10))
    #expect(place.meaning(of: range(0, 10)) == .known)
    #expect(place.meaning(of: range(5, 11)) == .new(missing: nil))
    #expect(place.meaning(of: range(10, 11)) == .new(missing: nil))
    #expect(place.meaning(of: range(12, 20)) == .new(missing: Offset(10)..<Offset(12)))
    #expect(place.next == Offset(10) && place.queue == queue)
  }

  @Test func `a subject that is new begins where its sink began`() {
    var place = SubjectPlace.new
    #expect(place.meaning(of: range(40, 50, start: 40)) == .new(missing: nil))
    var late = SubjectPlace.new
    #expect(late.meaning(of: range(40, 50, start: 30)) == .new(missing: Offset(30)..<Offset(40)))
  }

  @Test func `another queue begins the subject anew`() {
    var place = SubjectPlace(sequence: 5, queue: queue, next: Offset(1000))
    #expect(place.meaning(of: range(0, 3, queue: QueueID(high: 3, low: 4))) == .new(missing: nil))
    #expect(place.next == .zero)
  }

  @Test func `checkpoints come back as they were written, and nothing else does`() {
    let place = SubjectPlace(sequence: .max, queue: queue, next: Offset(77))
    #expect(SubjectPlace(place.value) == place)
    #expect(SubjectPlace(SubjectPlace.new.value) == .new)
    #expect(SubjectPlace(Array(place.value.dropLast())) == nil && SubjectPlace([]) == nil)
    let pattern = PatternPlace(sequence: 12, created: "2026-09-01T00:00:00Z")
    #expect(PatternPlace(pattern.value) == pattern)
    #expect(PatternPlace([2]) == nil)
    let end = SubjectEnd(sequence: 3, next: Offset(9), start: Offset(1), writer: 77)
    #expect(SubjectEnd(end.state(of: "LOGS a.b"), of: "LOGS a.b") == end)
    #expect(SubjectEnd(end.state(of: "LOGS a.b"), of: "LOGS a.c") == nil, "a new subject begins where it is first used")
  }

  @Test func `how a stream differs is said one by one`() throws {
    let text =
      #"{"config":{"name":"L","subjects":["a.>","b"],"retention":"workqueue","storage":"memory","num_replicas":1,"max_age":60000000000,"max_bytes":-1,"discard":"old","max_msgs":10,"max_msgs_per_subject":1,"no_ack":true},"created":"x","state":{"last_seq":3}}"#
    let facts = try #require(Array(text.utf8).withUnsafeBytes { Answered.value(StreamFacts.self, in: $0) })
    let settings = StreamSettings(name: "L", subject: "c.d", replicas: 3, maxAge: .seconds(3600), maxBytes: 1 << 30, overflow: .wait)
    #expect(settings.differences(from: facts).count == 10)
    var same = StreamSettings(name: "L", subject: "a.d", replicas: 1)
    var made = facts
    made.retention = "limits"
    made.storage = "file"
    made.givesNoAcknowledgement = false
    made.maxMessages = -1
    made.maxMessagesPerSubject = -1
    #expect(same.differences(from: made).isEmpty)
    same.overflow = .wait
    #expect(same.differences(from: made) == ["it has discard 'old', 'overflow: wait' asks for 'new'"])
    made.maxMessageSize = 2000
    #expect(same.differences(from: made).count == 2)
  }
}
