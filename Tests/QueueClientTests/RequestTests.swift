import Foundation
import QueueClient
import Testing

private let queueJSON = """
  {"name":"app","id":"00ff","epoch":3,"start_offset":"3-0","durable_end":"3-100","records":100,"bytes":1000,"lost_records":0,"stored_bytes":400,
   "max_size":10000,"segments":2,"is_full":false,"full_because_of":null,"seconds_until_full":12.5,"unknown_member":[1],
   "consumers":[\(consumerJSON)]}
  """
private let consumerJSON = """
  {"name":"nightly","kind":"pull","mode":"cursor","cursor":"2-40","hold":"7d","lag_records":60,"lag_bytes":600,"pinned_bytes":300,
   "lost_records":0,"lost_bytes":0,"silent_seconds":3.5,"seconds_until_loss":null,"failure":null}
  """

@Suite struct `Requests to a server` {
  @Test func `queues and consumers are read, unknown members passed over`() async throws {
    let server = ServerDouble { $0.path == "/v1/queues" ? .json("{\"queues\":[\(queueJSON)]}") : .json(queueJSON) }
    let client = try client(server)
    let queue = try await client.queue("app")
    #expect(queue.durableEnd == WireOffset(epoch: 3, offset: 100))
    #expect(queue.secondsUntilFull == 12.5)
    #expect(queue.consumers.map(\.hold) == ["7d"])
    #expect(queue.consumers[0].secondsUntilLoss == nil)
    #expect(try await client.queues() == [queue])
    #expect(server.requests.map(\.path) == ["/v1/queues/app", "/v1/queues"])
  }

  @Test func `a consumer is made, committed, sought and deleted with the requests of the contract`() async throws {
    let server = ServerDouble { request in
      switch request.method {
      case "PUT": .json(consumerJSON, status: 201)
      case "DELETE": ServerDouble.Reply(status: 204)
      default: .json(request.method == "GET" ? "{\"consumers\":[\(consumerJSON)]}" : consumerJSON)
      }
    }
    let client = try client(server)
    let made = try await client.createConsumer("nightly", of: "app", startAt: .time("2026-09-01T00:00:00Z"), hold: "7d")
    #expect(made.isNew)
    _ = try await client.commit(WireOffset(epoch: 3, offset: 50), consumer: "nightly", of: "app")
    _ = try await client.seek(to: .newest, consumer: "nightly", of: "app")
    #expect(try await client.consumers(of: "app").count == 1)
    try await client.deleteConsumer("nightly", of: "app")
    let bodies = server.requests.map {
      $0.text.isEmpty ? [:] : (try? JSONSerialization.jsonObject(with: Data($0.body)) as? [String: String]) ?? [:]
    }
    #expect(
      bodies == [["start_at": "2026-09-01T00:00:00Z", "mode": "cursor", "hold": "7d"], ["offset": "3-50"], ["to": "newest"], [:], [:]])
    #expect(
      server.requests.map { "\($0.method) \($0.path)" } == [
        "PUT /v1/queues/app/consumers/nightly", "POST /v1/queues/app/consumers/nightly/commit",
        "POST /v1/queues/app/consumers/nightly/seek", "GET /v1/queues/app/consumers", "DELETE /v1/queues/app/consumers/nightly",
      ])
  }

  @Test func `a deletion whose answer was lost is done when the consumer is gone`() async throws {
    let server = ServerDouble { request in
      switch request.number {
      case 0: ServerDouble.Reply(status: 204)
      case 1: .nothing
      default: .problem(404, #"{"code":"unknown_consumer","detail":"there is none"}"#)
      }
    }
    let client = try client(server)
    try await client.deleteConsumer("first", of: "app")
    try await client.deleteConsumer("second", of: "app")
    let error = await #expect(throws: QueueClientError.self) { try await client.deleteConsumer("third", of: "app") }
    #expect(error?.problem?.code == "unknown_consumer")
  }

  @Test func `a refusal is told in the server's words, with all that it says beside them`() async throws {
    let body = """
      {"type":"urn:sluice:problem:data_lost","title":"Gone","status":410,"code":"data_lost","detail":"records are gone; go on at 3-50",
       "oldest":"3-50","lost_records":10,"lost_bytes":100,"reason":"retention","first_time":"2026-09-01T00:00:00Z","last_time":"2026-09-02T00:00:00Z"}
      """
    let server = ServerDouble { _ in .problem(410, body) }
    let error = await #expect(throws: QueueClientError.self) {
      try await client(server).pull(PullRequest(queue: "app", reader: .consumer("nightly", commit: nil)))
    }
    #expect(error?.code == .refused)
    #expect(error?.isTransient == false)
    #expect(error?.description.contains("records are gone; go on at 3-50") == true)
    #expect(error?.problem?.oldest == WireOffset(epoch: 3, offset: 50))
    #expect(error?.problem?.lostRecords == 10)
    #expect(error?.problem?.reason == "retention")
    #expect(server.requests.count == 1)
  }

  @Test func `the token is sent, and no error shows it`() async throws {
    let folder = TemporaryFolder()
    try Data("t0ken-4711".utf8).write(to: URL(fileURLWithPath: folder.path + "/token"))
    let server = ServerDouble { _ in ServerDouble.Reply(status: 401, headers: ["Content-Type: text/html"], body: Array("t0ken-4711".utf8)) }
    let client = try client(server) { $0.token = try? BearerToken(file: folder.path + "/token") }
    let error = await #expect(throws: QueueClientError.self) { try await client.queues() }
    #expect(server.requests[0].fields["authorization"] == "Bearer t0ken-4711")
    #expect(error.map { !"\($0)".contains("4711") && "\($0)".contains("--token-file") } == true)
  }

  @Test func `a Unix socket is asked like any server`() async throws {
    let folder = TemporaryFolder()
    let server = ServerDouble(unixSocket: folder.path + "/server.sock") { _ in .json(queueJSON) }
    #expect(try await client(server).queue("app").name == "app")
    #expect(server.requests[0].fields["host"] == "localhost")
    let missing = QueueClient.Configuration(address: ServerAddress(unixSocket: folder.path + "/missing.sock"))
    let error = await #expect(throws: QueueClientError.self) { try await QueueClient(missing).queues() }
    #expect(error?.code == .unreachable)
  }

  @Test func `a wrong address is told at once, but to a client that goes on for ever`() async throws {
    let address: String
    do {
      // Nobody listens there any more.
      let gone = ServerDouble { _ in .nothing }
      address = gone.address
    }
    let clock = ImmediateClock()
    var configuration = QueueClient.Configuration(address: try ServerAddress(address))
    configuration.clock = clock
    let error = await #expect(throws: QueueClientError.self) { try await QueueClient(configuration).queues() }
    #expect(error?.code == .unreachable)
    #expect(clock.sleeps.isEmpty)
    configuration.retry = RetryPolicy(patience: .seconds(3600), includesFirstContact: true)
    _ = await #expect(throws: QueueClientError.self) { try await QueueClient(configuration).queues() }
    #expect(clock.sleeps.reduce(.zero, +) >= .seconds(3600))
    #expect(clock.sleeps.allSatisfy { $0 <= .seconds(60) })
  }

  @Test func `what isn't Sluice is named so, and not asked again`() async throws {
    for reply in [
      ServerDouble.Reply(headers: ["Content-Type: text/html"], body: Array("<html>".utf8)), .json("{}"), .json("[1,2]"),
      .json(#"{"queues":[{"name":1}]}"#), ServerDouble.Reply(status: 302, headers: ["Location: http://127.0.0.1:1/"]),
    ] {
      let server = ServerDouble { _ in reply }
      let client = try client(server)
      let error = await #expect(throws: QueueClientError.self) { try await client.queues() }
      #expect(error?.code == .notSluice, "\(String(describing: error))")
      #expect(server.requests.count == 1)
    }
  }

  @Test func `a cancelled request ends as such`() async throws {
    let server = ServerDouble { _ in .problem(503, #"{"code":"busy","detail":"busy; come again"}"#) }
    let client = try client(server, retry: .unlimited) { $0.clock = ContinuousClock() }
    let task = Task { try await client.queues() }
    task.cancel()
    let error = await #expect(throws: QueueClientError.self) { try await task.value }
    #expect(error?.code == .cancelled)
  }
}
