import Testing

@testable import JetStream

@Suite struct MessageTests {
  private func read<Value: Decodable>(_ type: Value.Type, _ text: String) -> Value? {
    Array(text.utf8).withUnsafeBytes { Answered.value(type, in: $0) }
  }

  @Test func `a refusal is read, and anything else is none`() {
    let text = #"{"type":"x","error":{"code":400,"err_code":10071,"description":"wrong \"last\" sequence: 3"},"l":[true,null]}"#
    let refusal = read(Answered.Refusal.self, text)?.error
    #expect(refusal?.errorCode == 10_071 && refusal?.description == #"wrong "last" sequence: 3"#)
    #expect(read(Answered.Refusal.self, #"{"seq":3}"#)?.error == nil)
  }

  @Test func `a sequence keeps all of its 64 bits`() {
    #expect(read(Answered.Published.self, #"{"seq":18446744073709551615}"#)?.seq == .max)
    #expect(read(Answered.Published.self, #"{"seq":18446744073709551616}"#) == nil)
  }

  @Test(arguments: ["", "{", "[1]", "+OK", #"{"seq":1}x"#, String(repeating: "[", count: 100_000)])
  func `what is no answer is none`(text: String) { #expect(read(Answered.Published.self, text) == nil) }

  @Test func `stored headers are base64`() {
    let message = read(Answered.Stored.self, #"{"message":{"seq":7,"hdrs":"TkFUUy8xLjANCkE6IGINCg0K"}}"#)?.message
    #expect(message?.seq == 7)
    #expect(message?.hdrs.map { JetStreamAPI.headers(Array($0)) } == ["A": "b"])
    #expect(read(Answered.Stored.self, #"{"message":{"seq":7,"hdrs":"*"}}"#) == nil)
  }

  @Test func `requests are as the protocol has them`() {
    #expect(Asked.text(Asked.LastMessage(subject: "a.\"b/>")) == #"{"last_by_subj":"a.\"b/>"}"#)
    #expect(Asked.text(Asked.NextMessage(sequence: 4, subject: "a")) == #"{"next_by_subj":"a","seq":4}"#)
    #expect(
      Asked.text(Asked.Messages(batch: 2, maxBytes: 3, expires: 4, idleHeartbeat: 5))
        == #"{"batch":2,"expires":4,"idle_heartbeat":5,"max_bytes":3}"#)
    let consumer = Asked.Consumer(streamName: "S", config: .init(name: "n", optStartSeq: 9, filterSubject: nil))
    #expect(
      Asked.text(consumer)
        == #"{"action":"create","config":{"ack_policy":"none","deliver_policy":"by_start_sequence","inactive_threshold":60000000000,"max_deliver":1,"mem_storage":true,"name":"n","num_replicas":1,"opt_start_seq":9,"replay_policy":"instant"},"stream_name":"S"}"#
    )
    #expect(
      Asked.text(StreamSettings(name: "S", subject: "a.b", replicas: 3, maxAge: .seconds(60)).creation)
        == #"{"discard":"new","duplicate_window":60000000000,"max_age":60000000000,"max_bytes":-1,"max_consumers":-1,"max_msg_size":-1,"max_msgs":-1,"max_msgs_per_subject":-1,"name":"S","num_replicas":3,"retention":"limits","storage":"file","subjects":["a.>"]}"#
    )
  }
}
