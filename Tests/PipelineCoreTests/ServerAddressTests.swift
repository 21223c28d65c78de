import PipelineCore
import Testing

@Suite("An address to listen on") struct ServerAddressTests {
  @Test(arguments: [
    ("127.0.0.1:7171", "127.0.0.1", 7171), ("127.0.0.1", "127.0.0.1", 7171), ("localhost", "127.0.0.1", 7171),
    ("localhost:80", "127.0.0.1", 80), ("0.0.0.0:0", "0.0.0.0", 0), ("[::1]:65535", "::1", 65_535), ("[::1]", "::1", 7171),
    ("[0:0:0:0:0:0:0:1]:8", "::1", 8), ("[2001:DB8::1]:443", "2001:db8::1", 443),
  ])
  func `is an IP address, with the usual port when it names none`(text: String, host: String, port: UInt16) throws {
    let address = try #require(ServerAddress(text: text))
    #expect(address == .internet(host: host, port: port))
    #expect(ServerAddress(text: address.description) == address)
  }

  @Test(arguments: ["unix:/run/sluice.sock", "unix:relative", "unix:a:b", "unix:127.0.0.1:7171"])
  func `is a Unix socket's path`(text: String) throws {
    let address = try #require(ServerAddress(text: text))
    #expect(address == .unix(path: String(text.dropFirst(5))))
    #expect(address.description == text)
    #expect(address.isLocal)
  }

  @Test(arguments: [
    "", ":", ":7171", "7171", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:07171", "127.0.0.1:+1", "127.0.0.1:٣", "127.1:7171", "0x7f.0.0.1",
    "example.org:7171", "::1", "::1:7171", "[::1", "[::1]7171", "[::1]:", "[127.0.0.1]:7171", "[]", "[fe80::1%lo]:1",
    "http://127.0.0.1:7171",
    " 127.0.0.1", "127.0.0.1\0:1", "unix:", "unix:a\u{0}b", "unix:a\nb", "unix:" + String(repeating: "a", count: 108), "*:7171",
  ])
  func `is nothing else`(text: String) {
    #expect(ServerAddress(text: text) == nil)
  }

  @Test(arguments: [
    ("7171", "127.0.0.1:7171"), (":7171", "127.0.0.1:7171"), ("*:80", "0.0.0.0:80"), ("http://127.0.0.1:7171/", "127.0.0.1:7171"),
    ("::1", "[::1]:7171"), ("https://[::1]:1", "[::1]:1"),
  ])
  func `may have been meant by another text`(text: String, meant: String) {
    #expect(ServerAddress.suggestion(for: text) == meant)
  }

  @Test(arguments: ["", "/run/sluice.sock", "example.org:80", "http://example.org", "99999", "::::"])
  func `is not guessed at`(text: String) {
    #expect(ServerAddress.suggestion(for: text) == nil)
  }

  @Test(arguments: ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"])
  func `of the loopback is this machine's`(host: String) {
    #expect(ServerAddress.isLoopback(host))
  }

  @Test(arguments: [
    "0.0.0.0", "::", "128.0.0.1", "::2", "1::1", "::127.0.0.1", "::ffff:128.0.0.1", "192.168.0.1", "localhost", "", "127.0.0.1 ",
  ])
  func `of anything else isn't`(host: String) {
    #expect(!ServerAddress.isLoopback(host))
  }
}
