import Glibc
import Logging
import Synchronization
import Testing

@testable import SyslogSource

@Suite("Syslog addresses and binding")
struct SyslogBindingTests {
  @Test(
    arguments: [
      ("udp://127.0.0.1:5514", "127.0.0.1", 5514), ("udp://0.0.0.0:0", "0.0.0.0", 0), ("udp://[::1]:5514", "::1", 5514),
      ("udp://[::]:65535", "::", 65535),
      ("udp://[fe80::1%eth0]:514", "fe80::1%eth0", 514),
    ] as [(String, String, UInt16)]
  )
  func `an address is read and written in one form`(_ text: String, _ host: String, _ port: UInt16) throws {
    let address = try SyslogSource.Address(parsing: text)
    #expect(address == SyslogSource.Address(host: host, port: port))
    #expect(address.description == text)
  }

  @Test(
    arguments: [
      "", "127.0.0.1:514", "tcp://127.0.0.1:514", "udp://127.0.0.1", "udp://127.0.0.1:", "udp://127.0.0.1:65536", "udp://127.0.0.1:-1",
      "udp://127.0.0.1:+1",
      "udp://:514", "udp://[]:514", "udp://::1:514", "udp://[::1:514", "udp://127.0.0.1:514/x",
    ]
  )
  func `what isn't an address is refused with an example`(_ text: String) {
    #expect {
      _ = try SyslogSource.Address(parsing: text)
    } throws: { error in
      (error as? SyslogSourceError)?.code == .invalidAddress && "\(error)".contains("'\(text)'")
        && "\(error)".contains("udp://127.0.0.1:5514")
    }
  }

  @Test func `a port in use is an error that names the address and how to find the other process`() throws {
    let first = source(.init(host: "127.0.0.1", port: 0))
    try first.bind()
    let port = try #require(first.localPort)
    let second = source(.init(host: "127.0.0.1", port: UInt16(port)))
    #expect {
      try second.bind()
    } throws: { error in
      (error as? SyslogSourceError)?.code == .addressInUse && "\(error)".contains("udp://127.0.0.1:\(port)")
        && "\(error)".contains("ss -ulpn")
    }
    #expect(second.localPort == nil)
    // Binding twice is binding once.
    try first.bind()
    #expect(first.localPort == port)
  }

  @Test func `an address of no interface and a name are errors with remedies`() {
    #expect {
      try source(.init(host: "192.0.2.1", port: 0)).bind()
    } throws: { error in
      (error as? SyslogSourceError)?.code == .addressNotAvailable && "\(error)".contains("ip address")
    }
    #expect {
      try source(.init(host: "log.example.net", port: 0)).bind()
    } throws: { error in
      (error as? SyslogSourceError)?.code == .invalidAddress && "\(error)".contains("'log.example.net'")
    }
  }

  @Test func `a receive buffer that the kernel doesn't give is a warning with the remedy`() throws {
    let messages = Mutex<[String]>([])
    let handler = CollectingLogHandler { line in messages.withLock { $0.append(line) } }
    let logger = Logger(label: "test", factory: { _ in handler })
    for asked in [4096, 4 << 30] {
      try SyslogSource(.init(name: "test", listen: .init(host: "127.0.0.1", port: 0), receiveBufferBytes: asked, logger: logger)).bind()
    }
    let lines = messages.withLock { $0 }
    #expect(lines.map { $0.prefix { $0 != " " } } == ["info", "info", "warning"])
    let warning = try #require(lines.last)
    for part in ["net.core.rmem_max", "CAP_NET_ADMIN", "asked_bytes=\(4 << 30)", "granted_bytes=", "source.name=test"] {
      #expect(warning.contains(part))
    }
  }

  private func source(_ address: SyslogSource.Address) -> SyslogSource {
    SyslogSource(
      .init(
        name: "test", listen: address, receiveBufferBytes: 65_536, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
      ))
  }
}

/// Hands each log line, with its metadata, to a test.
private struct CollectingLogHandler: LogHandler {
  let collect: @Sendable (String) -> Void
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  init(_ collect: @escaping @Sendable (String) -> Void) { self.collect = collect }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let facts = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
    collect("\(event.level) \(event.message) \(facts)")
  }
}
