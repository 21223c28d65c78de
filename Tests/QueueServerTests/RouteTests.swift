import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import QueueServer

@Suite("Operations") struct RouteTests {
  @Test func `the document tells just the operations that there are`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let document = try await fixture.get("/openapi.json").json()
      let paths = try #require(document["paths"] as? [String: [String: Any]])
      let told = Set(paths.flatMap { path, operations in operations.keys.map { "\($0.uppercased()) \(path)" } })
      #expect(told == Set(Endpoints.all.map { "\($0.method.rawValue) \($0.path)" }))
      // The router takes each of them, and nothing else on these paths.
      for (path, operations) in paths {
        let concrete = path.replacing("{queue}", with: "app").replacing("{consumer}", with: "nobody").replacing("{segment}", with: "none")
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"] {
          let answer = try await fixture.request(HTTPMethod(rawValue: method), concrete)
          let isTold = operations[method.lowercased()] != nil
          #expect((answer.status != 405) == isTold, "\(method) \(concrete): \(answer.status)")
          if !isTold { #expect(answer.headers.first(name: "Allow") != nil) }
          let responses = (operations[method.lowercased()] as? [String: Any])?["responses"] as? [String: Any]
          if isTold { #expect(responses?["\(answer.status)"] != nil, "\(method) \(concrete) answered \(answer.status), which isn't told") }
        }
      }
    }
  }

  @Test func `every schema that the document names is there`() throws {
    let text = OpenAPIDocument.text(of: Endpoints.all, version: "1")
    let document = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: Any])
    let named = Set(text.matches(of: #/#\/components\/schemas\/([A-Za-z]+)/#).map { String($0.1) })
    #expect(named.isSubset(of: Set(schemas.keys)))
    #expect(Set(schemas.keys).isSubset(of: named), "\(Set(schemas.keys).subtracting(named)) are of no use")
    #expect(Set(Endpoints.all.map(\.id)).count == Endpoints.all.count)
  }

  @Test func `an unknown path or queue is a problem with a way on`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      #expect(try await fixture.get("/nothing").code == "no_such_path")
      #expect(try await fixture.get("/v1/queues/other").code == "unknown_queue")
      #expect(try await fixture.get("/v1/queues/..%2F..%2Fetc").code == "unknown_queue")
      #expect(try await fixture.get("/v1/queues/app/segments/..%2Fqueue.json").code == "unknown_segment")
    }
  }

  @Test func `consumers are made, shown, set and deleted`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append((0..<5).map(String.init))
      let path = "/v1/queues/app/consumers/job"
      let made = try await fixture.request(.PUT, path, body: #"{"start_at": "1-2", "hold": "50%"}"#)
      #expect(made.status == 201)
      #expect(try made.json()["cursor"] as? String == "1-2")
      #expect(try made.json()["hold"] as? String == "50%")
      #expect(try made.json()["lag_records"] as? Int == 3)
      let again = try await fixture.request(.PUT, path, body: #"{"hold": "7d"}"#)
      #expect(again.status == 200)
      #expect(try again.json()["hold"] as? String == "7d")
      #expect(try again.json()["cursor"] as? String == "1-2", "what is there keeps its place")
      #expect(try await fixture.request(.POST, path + "/seek", body: #"{"to": "oldest"}"#).json()["cursor"] as? String == "1-0")
      #expect(try await fixture.request(.POST, path + "/commit", body: #"{"offset": "1-1"}"#).code == "commit_out_of_range")
      _ = try await fixture.get("/v1/queues/app/records?consumer=job&max_records=2")
      #expect(try await fixture.request(.POST, path + "/commit", body: #"{"offset": "1-2"}"#).json()["cursor"] as? String == "1-2")
      let list = try #require(try await fixture.get("/v1/queues/app/consumers").json()["consumers"] as? [[String: Any]])
      #expect(list.map { $0["name"] as? String } == ["job"])
      #expect(try await fixture.request(.DELETE, path).status == 204)
      #expect(try await fixture.get(path).status == 404)
      #expect(try await fixture.request(.DELETE, path).code == "unknown_consumer")
    }
  }

  @Test(arguments: [
    ("Job", "{}", 422), ("job", #"{"start": "oldest"}"#, 400), ("job", #"{"mode": "loan"}"#, 422), ("job", #"{"hold": "much"}"#, 400),
    ("job", #"{"hold": 5}"#, 400), ("job", "[]", 400), ("job", "{", 400), ("job", #"{"start_at": "9-1"}"#, 410),
    ("job", #"{"start_at": "1-9"}"#, 400),
  ])
  func `a consumer that can't be is refused, and not made`(name: String, body: String, status: Int) async throws {
    try await ServerFixture.run { (fixture) async throws in
      let answer = try await fixture.request(.PUT, "/v1/queues/app/consumers/\(name)", body: body)
      #expect(answer.status == status, "\(answer.text)")
      #expect(answer.headers.first(name: "Content-Type") == "application/problem+json")
      #expect(fixture.queue.consumerNames.isEmpty)
    }
  }

  @Test func `a sink's consumer is shown, and not moved`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      _ = try fixture.queue.consumer("archive", kind: .sink)
      #expect(try await fixture.get("/v1/queues/app/consumers/archive").json()["kind"] as? String == "sink")
      for (method, path) in [
        (HTTPMethod.GET, "/v1/queues/app/records?consumer=archive"), (.PUT, "/v1/queues/app/consumers/archive"),
        (.DELETE, "/v1/queues/app/consumers/archive"),
      ] { #expect(try await fixture.request(method, path).code == "wrong_mode", "\(method) \(path)") }
      #expect(try await fixture.request(.POST, "/v1/queues/app/consumers/archive/seek", body: #"{"to":"oldest"}"#).code == "wrong_mode")
    }
  }

  @Test func `sealed segments are static files`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append((0..<1000).map { "line \($0)" })
      #expect(try await fixture.request(.POST, "/v1/queues/app/seal").status == 200)
      let list = try #require(try await fixture.get("/v1/queues/app/segments").json()["segments"] as? [[String: Any]])
      let url = try #require(list.first?["url"] as? String)
      let whole = try await fixture.get(url)
      #expect(whole.headers.first(name: "Content-Type") == "application/gzip")
      #expect(whole.headers.first(name: "Cache-Control")?.contains("immutable") == true)
      let tag = try #require(whole.headers.first(name: "ETag"))
      #expect(try await fixture.get(url, headers: [("If-None-Match", tag)]).status == 304)
      let part = try await fixture.get(url, headers: [("Range", "bytes=10-19")])
      #expect(part.status == 206)
      #expect(part.headers.first(name: "Content-Range") == "bytes 10-19/\(whole.body.readableBytes)")
      #expect(Array(buffer: part.body) == Array(Array(buffer: whole.body)[10..<20]))
      let last = try await fixture.get(url, headers: [("Range", "bytes=-5")])
      #expect(Array(buffer: last.body) == Array(Array(buffer: whole.body).suffix(5)))
      #expect(try await fixture.get(url, headers: [("Range", "bytes=\(whole.body.readableBytes)-")]).status == 416)
      #expect(try await fixture.get(url, headers: [("Range", "bytes=0-1,4-5")]).status == 200)
      #expect(try await fixture.get(url, headers: [("Range", "bytes=0-1"), ("If-Range", "\"other\"")]).status == 200)
      let head = try await fixture.request(.HEAD, url)
      #expect(head.headers.first(name: "Content-Length") == "\(whole.body.readableBytes)")
      #expect(head.body.readableBytes == 0)
    }
  }

  @Test func `health tells what is wrong`() async throws {
    try await ServerFixture.run(configure: { $0.checks = { [HealthCheck("source.app.tail", isGood: false, detail: "it failed")] } }) {
      fixture in
      #expect(try await fixture.get("/healthz").status == 200)
      let ready = try await fixture.get("/readyz")
      #expect(ready.status == 503)
      #expect(ready.text.contains("it failed"))
    }
  }

  @Test func `a queue that takes records and makes none durable is no progress`() {
    let progress = QueueProgress()
    let start = ContinuousClock.now
    let late = start + QueueProgress.patience
    func look(_ end: UInt64, inFlight: Int, isFull: Bool = false, at now: ContinuousClock.Instant) -> String? {
      progress.look(durableEnd: RecordBlocks.Offset(end), inFlightBytes: inFlight, isFull: isFull, because: "slow", now: now)
    }
    #expect(look(0, inFlight: 0, at: start) == nil)
    #expect(look(0, inFlight: 100, at: start) == nil)
    #expect(look(0, inFlight: 100, at: late) != nil)
    #expect(look(1, inFlight: 100, at: late) == nil)
    #expect(look(1, inFlight: 0, isFull: true, at: late)?.contains("'slow'") == true)
  }
}
