internal import Glibc
internal import Testing

@testable internal import sluice

@Suite struct LiveAreaTests {
  @Test func `lines are drawn over those before`() {
    var area = LiveArea()
    #expect(area.show(["one", "two"], columns: 80, rows: 24) == "one\u{1B}[K\ntwo\u{1B}[K\u{1B}[J")
    #expect(area.show(["three"], columns: 80, rows: 24) == "\r\u{1B}[1Athree\u{1B}[K\u{1B}[J")
    #expect(area.clear(columns: 80) == "\r\u{1B}[J")
    #expect(area.clear(columns: 80) == "")
  }

  @Test func `a log line goes above the live lines`() {
    var area = LiveArea()
    #expect(area.insert("log", columns: 80) == "log\n")
    _ = area.show(["one", "two"], columns: 80, rows: 24)
    #expect(area.insert("log", columns: 80) == "\r\u{1B}[1A\u{1B}[Jlog\none\u{1B}[K\ntwo\u{1B}[K\u{1B}[J")
  }

  @Test func `lines that a narrower terminal has wrapped are taken away whole`() {
    var area = LiveArea()
    _ = area.show([String(repeating: "x", count: 75), "two"], columns: 80, rows: 24)
    #expect(area.clear(columns: 30) == "\r\u{1B}[3A\u{1B}[J")
  }

  @Test func `what doesn't fit the terminal is cut`() {
    #expect(LiveArea.fit(["123456789"], columns: 6, rows: 24) == ["12345"])
    #expect(LiveArea.fit(["a", "b", "c", "d"], columns: 80, rows: 4) == ["a", "b", "  (2 more; make the window higher)"])
    #expect(LiveArea.fit(["a", "b", "c"], columns: 80, rows: 4) == ["a", "b", "c"])
    // Wide characters take two columns: a line that wrapped would leave its beginning on view.
    #expect(LiveArea.fit(["日本語日本語", "a\u{1F600}\u{1F600}\u{1F600}"], columns: 6, rows: 24) == ["日本", "a\u{1F600}\u{1F600}"])
  }
}

@Suite struct ProgressBarTests {
  @Test func `the bar tells share, bytes and time left`() {
    #expect(
      ProgressBar.text("verifying app", done: 512 << 20, total: 1 << 30, elapsed: 10)
        == "verifying app [###############...............] 50 %  512.0 MiB of 1.0 GiB, 10 s left")
    #expect(ProgressBar.text("x", done: 0, total: 0, elapsed: 0) == "x [##############################] 100 %  0 B of 0 B")
  }
}

@Suite struct DiagnosticOutputTests {
  @Test func `a pipe gets plain lines and no live ones`() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    let output = DiagnosticOutput(descriptor: ends[1])
    output.show(["live"])
    output.line("plain")
    output.clear()
    close(ends[1])
    var buffer = [UInt8](repeating: 0, count: 100)
    let count = read(ends[0], &buffer, buffer.count)
    #expect(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) == "plain\n")
  }
}
