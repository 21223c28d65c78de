import Foundation
import NIOCore
import NIOHTTP1
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import QueueServer

@Suite("Pulling over HTTP") struct PullTests {
  private let records = "/v1/queues/app/records"

  @Test func `gives what a consumer has not committed, and again until it commits`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append((0..<10).map { "line \($0)" })
      #expect(try await fixture.request(.PUT, "/v1/queues/app/consumers/job").status == 201)
      let first = try await fixture.get(records + "?consumer=job&max_records=4")
      #expect(first.status == 200)
      #expect(first.lines == ["line 0", "line 1", "line 2", "line 3"])
      #expect(first.headers.first(name: "Sluice-First-Offset") == "1-0")
      #expect(first.next == "1-4")
      #expect(first.headers.first(name: "Sluice-Lag") == "6")
      #expect(first.headers.first(name: "Cache-Control") == "no-store")
      #expect(try await fixture.get(records + "?consumer=job&max_records=4").lines == first.lines)
      let second = try await fixture.get(records + "?consumer=job&max_records=100&commit=\(first.next)")
      #expect(second.lines == (4..<10).map { "line \($0)" })
      let rest = try await fixture.get(records + "?consumer=job&commit=\(second.next)")
      #expect(rest.status == 204)
      #expect(rest.next == second.next)
    }
  }

  @Test func `a commit is refused outside of what the consumer was given, and then nothing is pulled`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job")
      try await fixture.append((0..<10).map(String.init))
      _ = try await fixture.get(records + "?consumer=job&max_records=4")
      let ahead = try await fixture.get(records + "?consumer=job&commit=1-5")
      #expect(ahead.status == 409)
      #expect(ahead.code == "commit_out_of_range")
      #expect(try ahead.json()["delivered_end"] as? String == "1-4")
      #expect(try ahead.json()["cursor"] as? String == "1-0")
      _ = try await fixture.get(records + "?consumer=job&commit=1-3&max_records=1")
      #expect(try await fixture.get(records + "?consumer=job&commit=1-2").status == 409)
      // The cursor itself is fine: a retry of what was answered already.
      #expect(try await fixture.get(records + "?consumer=job&commit=1-3&max_records=1").lines == ["3"])
    }
  }

  @Test func `after a restart the durable end at opening counts as given`() async throws {
    let disk = SimulatedFileSystem()
    try await ServerFixture.run(disk: disk) { (fixture) async throws in
      try await fixture.append(["a", "b", "c"])
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job")
      #expect(try await fixture.get(records + "?consumer=job").next == "1-3")
    }
    try await ServerFixture.run(disk: disk) { (fixture) async throws in
      try await fixture.append(["d"])
      #expect(try await fixture.get(records + "?consumer=job&commit=1-4").status == 410)
      #expect(try await fixture.get(records + "?consumer=job&commit=2-4").status == 409)
      #expect(try await fixture.get(records + "?consumer=job&commit=1-3").lines == ["d"])
    }
  }

  @Test func `a waiting pull is answered by the next record`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job")
      async let waiting = fixture.get(records + "?consumer=job&wait=50s")
      try await fixture.untilWaiting(1)
      try await fixture.append(["at last"])
      #expect(try await waiting.lines == ["at last"])
    }
  }

  @Test func `with min_bytes it waits for more, and gives what there is when the time is over`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job")
      try await fixture.append(["one"])
      async let waiting = fixture.get(records + "?consumer=job&wait=50s&min_bytes=8")
      try await fixture.untilWaiting(1)
      try await fixture.append(["two"])
      #expect(try await waiting.lines == ["one", "two"])
      let late = try await fixture.get(records + "?consumer=job&wait=20ms&min_bytes=1MiB")
      #expect(late.status == 200)
      #expect(late.lines == ["one", "two"])
    }
  }

  @Test func `a stop answers who waits`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job")
      async let waiting = fixture.get(records + "?consumer=job&wait=50s")
      try await fixture.untilWaiting(1)
      await fixture.server.stop()
      #expect(try await waiting.status == 204)
    }
  }

  @Test func `more waiters than may wait are turned away, and those who leave make room`() async throws {
    try await ServerFixture.run(configure: { $0.limits.waiters = 2 }) { (fixture) async throws in
      let waiting = (0..<2).map { _ in Task { try await fixture.get(records + "?offset=newest&wait=50s") } }
      try await fixture.untilWaiting(2)
      let refused = try await fixture.get(records + "?offset=newest&wait=50s")
      #expect(refused.status == 429)
      #expect(refused.code == "too_many_waiters")
      #expect(refused.headers.first(name: "Retry-After") == "1")
      for task in waiting { task.cancel() }
      for task in waiting { _ = try? await task.value }
      try await fixture.untilWaiting(0)
    }
  }

  @Test func `reads without a consumer from any place, and remembers nothing`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["a", "b", "c"])
      #expect(try await fixture.get(records + "?offset=oldest").lines == ["a", "b", "c"])
      #expect(try await fixture.get(records + "?offset=1-1").lines == ["b", "c"])
      #expect(try await fixture.get(records + "?offset=newest").status == 204)
      #expect(try await fixture.get(records + "?offset=2000-01-01T00:00:00Z").lines == ["a", "b", "c"])
      #expect(try await fixture.get(records + "?offset=2100-01-01T00:00:00%2B01:00").status == 204)
      #expect(try await fixture.get(records + "?offset=1-4").status == 400)
      #expect(try await fixture.get(records + "?offset=7-1").code == "stale_epoch")
    }
  }

  @Test func `a batch of many blocks comes as one gzip member, or as it is`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      var expected = ""
      for block in 0..<40 {
        let lines = (0..<200).map { "source \(block) line \($0) \(String(repeating: "x", count: $0 % 50))" }
        expected += lines.map { $0 + "\n" }.joined()
        try await fixture.append(lines, source: "source-\(block % 3)")
      }
      let plain = try await fixture.get(records + "?offset=oldest&max_bytes=64MiB")
      #expect(plain.text == expected)
      #expect(plain.headers.first(name: "Content-Encoding") == nil)
      let packed = try await fixture.get(records + "?offset=oldest&max_bytes=64MiB", headers: [("Accept-Encoding", "gzip;q=0.5, br")])
      #expect(packed.headers.first(name: "Content-Encoding") == "gzip")
      let decoder = BodyDecoder(isGzip: true, limit: 64 << 20)
      decoder.feed(packed.body)
      var inflated: [UInt8] = []
      while try decoder.next({ inflated.append(contentsOf: $0) }) {}
      try decoder.finish()
      #expect(String(decoding: inflated, as: UTF8.self) == expected)
      #expect(
        try await fixture.get(records + "?offset=oldest", headers: [("Accept-Encoding", "gzip;q=0")]).headers.first(
          name: "Content-Encoding") == nil)
    }
  }

  @Test func `records come as a JSON array`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append([#"{"a":1}"#, "plain \"text\"", "7"])
      let answer = try await fixture.get(records + "?offset=oldest&format=json_array")
      #expect(answer.headers.first(name: "Content-Type") == "application/json")
      #expect(answer.text == "[{\"a\":1},\n\"plain \\\"text\\\"\",\n7]")
    }
  }

  @Test func `a gap is told before what is behind it`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["before"])
      let writer = try fixture.queue.writer(source: "udp")
      writer.recordGap(Gap(reason: .kernelDrop, records: 17, bytes: 0, firstTime: 1, lastTime: 2))
      try await fixture.queue.synchronize()
      try await fixture.append(["behind"])
      let first = try await fixture.get(records + "?offset=oldest&wait=10s&min_bytes=1MiB")
      #expect(first.lines == ["before"], "a batch that ends at a gap is answered at once")
      #expect(first.headers.first(name: "Sluice-Gap") == nil)
      let second = try await fixture.get(records + "?offset=\(first.next)")
      #expect(second.headers.first(name: "Sluice-Gap") == "1-2;kernel_drop;17;0")
      #expect(second.lines == ["behind"])
    }
  }

  @Test func `a consumer whose records are gone is told exactly what it lost, until it goes on behind`() async throws {
    try await ServerFixture.run(options: {
      $0.maxSize = 1 << 20
      $0.keep = .zero
    }) { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job", body: #"{"hold": "1kB"}"#)
      var generator = SplitMix64(seed: 7)
      var count = 0
      while fixture.queue.startOffset == .zero {
        // Nothing that compresses: the queue must fill.
        try await fixture.append(
          (0..<50).map { _ in String((0..<400).map { _ in Character(UnicodeScalar(UInt8.random(in: 33...126, using: &generator))) }) })
        count += 50
      }
      let oldest = fixture.queue.startOffset
      let lost = try await fixture.get(records + "?consumer=job")
      #expect(lost.status == 410)
      #expect(lost.code == "data_lost")
      #expect(try lost.json()["lost_records"] as? Int == Int(oldest.rawValue))
      #expect(try lost.json()["oldest"] as? String == "1-\(oldest)")
      #expect(try lost.json()["reason"] as? String == "retention")
      #expect(try await fixture.get(records + "?consumer=job").status == 410)
      let next = try await fixture.get(records + "?consumer=job&max_records=1&commit=1-\(oldest)")
      #expect(next.status == 200)
      #expect(next.headers.first(name: "Sluice-First-Offset") == "1-\(oldest)")
      #expect(try await fixture.get(records + "?offset=1-0").code == "offset_gone")
      #expect(count >= Int(oldest.rawValue))
    }
  }

  @Test func `who was told of a loss goes on behind it, although more has gone since, and is told the rest exactly`() async throws {
    try await ServerFixture.run(options: {
      $0.maxSize = 1 << 20
      $0.keep = .zero
      $0.overflow = .dropOldest
    }) { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job", body: "{}")
      var generator = SplitMix64(seed: 8)
      func fill(while condition: () -> Bool) async throws {
        while condition() {
          try await fixture.append(
            (0..<50).map { _ in String((0..<400).map { _ in Character(UnicodeScalar(UInt8.random(in: 33...126, using: &generator))) }) })
        }
      }
      try await fill { fixture.queue.startOffset == .zero }
      let first = try await fixture.get(records + "?consumer=job")
      let oldest = fixture.queue.startOffset
      #expect(try first.json()["oldest"] as? String == "1-\(oldest)")
      try await fill { fixture.queue.startOffset == oldest }
      let second = try await fixture.get(records + "?consumer=job&commit=1-\(oldest)")
      #expect(second.code == "data_lost")
      let later = fixture.queue.startOffset
      #expect(try second.json()["oldest"] as? String == "1-\(later)")
      #expect(try second.json()["lost_records"] as? Int == Int(later.rawValue - oldest.rawValue))
      #expect(try await fixture.get(records + "?consumer=job&max_records=1&commit=1-\(later)").status == 200)
      let consumer = try await fixture.get("/v1/queues/app/consumers/job")
      #expect(try consumer.json()["lost_records"] as? Int == Int(later.rawValue))
    }
  }

  @Test(arguments: [
    ("", "consumer=NAME"), ("?consumer=a&offset=oldest", "not both"), ("?consumer=job&wait=56s", "at most 55s"),
    ("?consumer=job&wait=20", "20s"),
    ("?consumer=job&max_bytes=0", "max_bytes"), ("?consumer=job&max_bytes=65MiB", "max_bytes"),
    ("?consumer=job&max_records=-1", "max_records"),
    ("?consumer=job&format=xml", "json_array"), ("?consumer=job&commit=7", "Sluice-Next-Offset"), ("?offset=oldest&commit=1-0", "consumer"),
    ("?consumer=job&max_record=5", "known are"), ("?consumer=job&consumer=job", "twice"),
    ("?offset=yesterday", "offset"),
  ])
  func `a wrong parameter is named with what is allowed`(query: String, part: String) async throws {
    try await ServerFixture.run { (fixture) async throws in
      let answer = try await fixture.get(records + query)
      #expect(answer.status == 400)
      #expect(answer.code == "bad_parameter")
      #expect(answer.headers.first(name: "Content-Type") == "application/problem+json")
      #expect((try answer.json()["detail"] as? String)?.contains(part) == true, "\(answer.text)")
    }
  }
}

extension ServerFixture {
  /// Returns when so many requests wait.
  func untilWaiting(_ count: Int) async throws {
    while true {
      let metrics = try await get("/metrics").lines
      if metrics.contains("sluice_http_waiting_requests \(count)") { return }
      await Task.yield()
    }
  }
}
