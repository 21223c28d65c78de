internal import Foundation
internal import Testing

@testable internal import QueueClient
@testable internal import sluice

@Suite struct TopTests {
  private static func status(_ queue: String = "app", _ more: String = "") throws -> RemoteStatus {
    let text = """
      {"version":"1.2","time":"2026-09-01T12:00:05.000Z","started":"2026-09-01T12:00:00.000Z","queues":[
        {"name":"\(queue)","id":"00ff","epoch":3,"start_offset":"3-0","durable_end":"3-10","records":10,"bytes":100,"lost_records":0,
         "stored_bytes":52428800,"max_size":1073741824,"segments":2,"is_full":false,"seconds_until_full":90,"fills_because_of":"slow",
         "in_flight_bytes":0,"dead_letters":2,"records_per_second":84112,"bytes_per_second":12300000,
         "losses":[{"reason":"dropped","records":4,"bytes":40}],"newest_segments":[],
         "consumers":[
          {"name":"slow","kind":"sink","cursor":"3-4","hold":"all","lag_records":6,"lag_bytes":60,"lost_records":0,"lost_bytes":0,
           "seconds_until_loss":30,"loss_cause":"hold","records_per_second":0,"bytes_per_second":0},
          {"name":"job","kind":"pull","cursor":"3-10","hold":"7d","lag_records":0,"lag_bytes":0,"lost_records":0,"lost_bytes":0,"silent_seconds":61}],
         "sources":[{"name":"tail","type":"file","activity":"running","records":10,"bytes":100,"records_per_second":1,"bytes_per_second":10,
           "lost_records":0,"restarts":0,"files":{"count":2,"newest":[{"path":"/a","position":5,"size":1029,"quiet_seconds":2,"is_gone":false}]}}],
         "sinks":[{"name":"slow","type":"http","activity":"backing_off","seconds_until_retry":12,"delivered_records":4,"delivered_bytes":40,
           "records_per_second":0,"bytes_per_second":0,"gap_records":0,"retries":1,"commits":1,"dead_letters":0,"dropped_records":0,
           "last_error":"answered 503: \\u001b[31m"}]}\(more)]}
      """
    return try JSONDecoder().decode(RemoteStatus.self, from: Data(text.utf8))
  }

  @Test func `a queue, its sources and consumers are lines in columns, failures below whose they are`() throws {
    #expect(
      TopText.lines(try Self.status()) == [
        "app       in     12.3 MB/s        84,112/s  stored 50.0 MiB of 1.0 GiB in 2 segments  full in 1 min 30 s because of slow  lost 4 (dropped)  dead letters 2",
        "  < tail  in        10 B/s           1.0/s  file, 2 files, 1.0 KiB unread",
        "  > slow  out        0 B/s             0/s  lag 6 (60 B)  loses records in 30 s by hold  again in 12 s",
        "      ! answered 503: \\u{1b}[31m",
        "  > job   out            -               -  lag 0  silent for 1 min 1 s",
      ])
  }

  @Test func `the screen has a head, a foot that tells where one is, and no line too wide or too many`() throws {
    var screen = TopScreen(address: "http://here:1")
    screen.update(try Self.status())
    let all = Self.lines(screen.text(columns: 200, rows: 20))
    #expect(all.count == 7)
    #expect(all[0] == "sluice top http://here:1  12:00:05 UTC")
    #expect(all[6] == "q quits")
    screen.scroll(by: 1)
    let few = Self.lines(screen.text(columns: 60, rows: 5))
    #expect(few.count == 5)
    #expect(few[1].hasPrefix("  < tail"))
    #expect(few[4] == "q quits  ↑ ↓ scroll  lines 2 to 4 of 5")
    #expect(few.allSatisfy { $0.count < 60 })
    screen.scroll(by: 100)
    #expect(Self.lines(screen.text(columns: 60, rows: 5))[4].hasSuffix("lines 3 to 5 of 5"))
    screen.scroll(by: -100)
    screen.update(trouble: "nobody answers there")
    #expect(Self.lines(screen.text(columns: 200, rows: 20))[0].hasSuffix("STALE: nobody answers there; trying again"))
  }

  private static func lines(_ text: String) -> [String] {
    text.replacing("\u{1B}[H", with: "").replacing("\u{1B}[K", with: "").replacing("\u{1B}[J", with: "").components(separatedBy: "\n")
  }

  @Test func `keys that mean something are known, others are passed over`() {
    #expect(TopKey.keys(in: Array("xq".utf8)) == [.quit])
    #expect(TopKey.keys(in: Array("jk".utf8)) == [.scroll(1), .scroll(-1)])
    #expect(TopKey.keys(in: [0x1B, 0x5B, 0x42]) == [.scroll(1)])
    #expect(TopKey.keys(in: [0x1B, 0x5B, 0x35, 0x7E]) == [.scroll(-10)])
    #expect(TopKey.keys(in: [0x1B, 0x5B, 0x43]) == [])
    #expect(TopKey.keys(in: [0x03]) == [.quit])
  }
}
