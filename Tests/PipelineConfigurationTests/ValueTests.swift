import Testing

@testable import PipelineConfiguration

@Suite("Values") struct ValueTests {
  @Test(arguments: [
    ("0B", 0), ("1B", 1), ("1kB", 1000), ("1KB", 1000), ("1KiB", 1024), ("64MiB", 64 << 20), ("64MB", 64_000_000), ("2GB", 2_000_000_000),
    ("10GiB", 10 << 30), ("3TB", 3_000_000_000_000), ("3TiB", 3 << 40),
  ]) func `a size is a number with its unit`(text: String, bytes: Int) { #expect(parseSize(text) == bytes) }

  @Test(arguments: ["", "5", "B", "MiB", "5mib", "5 MiB", "5M", "+5B", "-5B", "05B", "5.0B", "5B ", "٥B", "5MiB/s", "9999999TiB", "5PiB"])
  func `anything else is no size`(text: String) { #expect(parseSize(text) == nil) }

  @Test(arguments: [0, 1, 999, 1000, 1024, 1536, 1_000_000, 1 << 20, (1 << 30) + 1, 20_000_000_000, 5 << 40])
  func `a size prints as it is read`(bytes: Int) {
    #expect(parseSize(formatSize(bytes)) == bytes)
  }

  @Test func `a size prints in its largest unit`() {
    #expect(
      formatSize(10 << 30) == "10GiB" && formatSize(1536) == "1536B" && formatSize(3 << 19) == "1536KiB" && formatSize(2_000_000) == "2MB")
  }

  @Test(arguments: [
    ("0s", 0), ("1ms", 1), ("50ms", 50), ("1s", 1000), ("90s", 90_000), ("5m", 300_000), ("24h", 86_400_000),
    ("36500d", 36_500 * 86_400_000),
  ])
  func `a duration is a number with its unit`(text: String, milliseconds: Int) {
    #expect(parseDuration(text) == .milliseconds(milliseconds))
    #expect(parseDuration(formatDuration(.milliseconds(milliseconds))) == .milliseconds(milliseconds))
  }

  @Test(arguments: ["", "5", "s", "5 s", "5S", "1h30m", "1w", "0.5s", "-1s", "05s", "36501d", "99999999999999999d"])
  func `anything else is no duration`(text: String) { #expect(parseDuration(text) == nil) }

  @Test(
    arguments: [
      ("10.0.0.1:514", nil), ("udp://10.0.0.1:514", "udp://10.0.0.1:514"), ("udp://[::1]:514", "udp://[::1]:514"),
      ("udp://[0:0:0:0:0:0:0:1]:514", "udp://[::1]:514"), ("udp://::1:514", nil), ("udp://[10.0.0.1]:514", nil), ("udp://10.0.0.1", nil),
      ("udp://:514", nil), ("udp://10.0.0.1:", nil), ("udp://10.0.0.1:0", nil), ("udp://10.1:514", nil), ("udp://[fe80::1%eth0]:514", nil),
      ("UDP://10.0.0.1:514", nil), ("udp://10.0.0.1:514/", nil), ("udp://a\0b:514", nil),
    ] as [(String, String?)]) func `a listening address is an IP address and a port`(text: String, expected: String?)
  {
    #expect(ValueType<ListenAddress>.listenAddress.parse(text)?.description == expected)
  }

  @Test(arguments: [
    ("http://h", true), ("HTTPS://h/", true), ("http://h:80/p?q=1", true), ("http://[::1]:80", true), ("http://[::1]", true),
    ("http://a_b/", true),
    ("http:/h", false), ("http://", false), ("http://:80", false), ("http://h:", false), ("http://h:080", false), ("http://h:65536", false),
    ("http://[::1", false), ("http://[::1]x", false), ("http://[x]", false), ("http://u:p@h:80/", true), ("http://u@", false),
    ("http://u@h:x", false), ("http://h/#f", false), ("http://h/ü", false),
    ("http://h/a\nb", false), ("http://h/{a}", false), ("file:///x", false),
  ]) func `a URL is checked as text`(text: String, isGood: Bool) { #expect((HTTPURL.problem(text) == nil) == isGood) }

  @Test(
    arguments: [
      ("01:00-05:00", PullDefinition.Window(start: 60, end: 300)), ("23:59-00:00", PullDefinition.Window(start: 1439, end: 0)),
      ("00:00-24:00", PullDefinition.Window(start: 0, end: 1440)), ("1:00-5:00", nil), ("01:00-25:00", nil), ("01:60-02:00", nil),
      ("24:00-01:00", nil),
      ("01:00–05:00", nil), ("01:00-05:00-06:00", nil), ("01:00", nil), ("-", nil), ("+1:00-05:00", nil),
    ] as [(String, PullDefinition.Window?)]) func `a window is two times of day`(text: String, expected: PullDefinition.Window?)
  {
    #expect(ValueType<PullDefinition.Window>.window.parse(text) == expected)
  }

  @Test(arguments: [
    ("UTC", true), ("Europe/Berlin", true), ("America/Argentina/Buenos_Aires", true), ("", false), ("Mars/Olympus", false),
    ("../UTC", false),
  ])
  func `a time zone is one that exists`(name: String, exists: Bool) { #expect((ValueType<String>.timezone.parse(name) != nil) == exists) }

  @Test(
    arguments: [
      ("max_sise", "max_size"), ("maxsize", "max_size"), ("max-size", "max_size"), ("MAX_SIZE", "max_size"), ("mxa_size", "max_size"),
      ("ptah", "path"),
      ("lniger", "linger"), ("size", nil), ("colour", nil), ("x", nil), ("", nil), ("overflows", "overflow"),
    ] as [(String, String?)]) func `the nearest key is near`(typed: String, expected: String?)
  { #expect(nearest(to: typed, among: Schema.queue) == expected) }

  @Test func `foreign text can't move the cursor`() {
    #expect("a\u{1B}[2J\u{9B}\n\u{202E}b".quoted == #"'a\u{1b}[2J\u{9b}\n\u{202e}b'"#)
    #expect(String(repeating: "x", count: 100).quoted == "'\(String(repeating: "x", count: 60))…'")
  }
}
