import Foundation
import QueueClient
import Testing

@Suite("A server's status") struct StatusTests {
  static let text = #"""
    {"version":"1.2","time":"2026-09-01T12:00:05.000Z","started":"2026-09-01T12:00:00.000Z","queues":[
      {"name":"app","id":"00ff","epoch":3,"start_offset":"3-0","durable_end":"3-10","records":10,"bytes":100,"lost_records":0,"stored_bytes":50,
       "max_size":1000,"segments":1,"is_full":false,"seconds_until_full":90,"fills_because_of":"slow","in_flight_bytes":0,"dead_letters":2,
       "records_per_second":1.5,"bytes_per_second":15,"losses":[{"reason":"dropped","records":4,"bytes":40}],
       "newest_segments":[{"name":"0.gz.active","first_offset":0,"next_offset":10,"stored_bytes":50,"is_sealed":false}],
       "consumers":[{"name":"slow","kind":"sink","mode":"cursor","cursor":"3-4","hold":"all","lag_records":6,"lag_bytes":60,"pinned_bytes":50,
         "lost_records":0,"lost_bytes":0,"silent_seconds":0,"seconds_until_loss":30,"loss_cause":"hold","records_per_second":1}],
       "sources":[{"name":"tail","type":"file","activity":"running","records":10,"bytes":100,"records_per_second":1,"bytes_per_second":10,
         "lost_records":0,"restarts":0,"files":{"count":1,"newest":[{"path":"/a.log","position":5,"size":9,"quiet_seconds":2,"is_gone":false}]}}],
       "sinks":[{"name":"slow","type":"http","activity":"backing_off","seconds_until_retry":4,"delivered_records":4,"delivered_bytes":40,
         "records_per_second":0,"bytes_per_second":0,"gap_records":0,"retries":1,"commits":1,"dead_letters":0,"dropped_records":0,
         "last_error":"answered 503","a_member_of_a_later_version":1}]}]}
    """#

  @Test func `is read whole, with the queue's own facts among the others, and written as it came`() async throws {
    let server = ServerDouble { _ in .json(Self.text) }
    let status = try await client(server).status()
    #expect(server.requests.map(\.target) == ["/v1/status"])
    let app = try #require(status.queues.first)
    #expect(app.queue.durableEnd == WireOffset(epoch: 3, offset: 10))
    #expect(app.bytesPerSecond == 15)
    #expect(app.fillsBecauseOf == "slow")
    #expect(app.losses.first?.records == 4)
    #expect(app.newestSegments.first?.isSealed == false)
    #expect(app.queue.consumers.first?.lossCause == "hold")
    #expect(app.sources?.first?.files?.newest.first?.size == 9)
    #expect(app.sinks?.first?.lastError == "answered 503")
    #expect(try JSONDecoder().decode(RemoteStatus.self, from: Data(status.json.utf8)) == status)
  }

  @Test func `of another server is told as such`() async throws {
    let server = ServerDouble { _ in .json("{\"queues\":[{\"name\":\"app\"}]}") }
    do {
      _ = try await client(server).status()
      Issue.record("half a status was read")
    } catch { #expect((error as? QueueClientError)?.code == .notSluice) }
  }
}
