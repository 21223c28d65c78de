import Foundation
import Synchronization

/// An HTTP server on loopback that does on each connection what a test tells it, down to the bytes; each connection has a thread of its
/// own.
///
/// Nothing here waits longer than ``patience``, so that a broken test ends.
final class ScriptedServer: Sendable {
  static let patience = 20

  let port: UInt16
  private let core: Core

  var url: String { "http://127.0.0.1:\(port)/ingest" }
  /// How many connections were accepted.
  var connectionCount: Int { core.state.withLock { $0.connectionCount } }
  /// The requests that were read whole, in order.
  var requests: [ReceivedRequest] { core.state.withLock { $0.requests } }

  /// - Parameter serve: called for each connection, numbered from 0; the connection is closed when it returns.
  init(_ serve: @escaping @Sendable (Connection) throws -> Void) {
    let core = Core()
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(listener, $0, length) == 0 && listen(listener, 64) == 0, "no loopback socket")
        getsockname(listener, $0, &length)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    self.core = core
    core.state.withLock { $0.listener = listener }
    Thread.detachNewThread {
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { return }
        guard let number = core.take(descriptor) else {
          Glibc.close(descriptor)
          return
        }
        Thread.detachNewThread {
          let connection = Connection(descriptor, number: number, core: core)
          try? serve(connection)
          core.end(descriptor)
        }
      }
    }
  }

  deinit { core.stop() }

  fileprivate final class Core: Sendable {
    struct State {
      var listener: Int32 = -1
      var connectionCount = 0
      var requests: [ReceivedRequest] = []
      var open: Set<Int32> = []
      var isStopped = false
    }
    let state = Mutex(State())

    func take(_ descriptor: Int32) -> Int? {
      state.withLock { state in
        guard !state.isStopped else { return nil }
        state.open.insert(descriptor)
        defer { state.connectionCount += 1 }
        return state.connectionCount
      }
    }

    func end(_ descriptor: Int32) {
      state.withLock { state in
        if state.open.remove(descriptor) != nil { close(descriptor) }
      }
    }

    func stop() {
      state.withLock { state in
        state.isStopped = true
        shutdown(state.listener, Int32(SHUT_RDWR))
        close(state.listener)
        for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
      }
    }
  }

  /// One accepted connection.
  final class Connection {
    let number: Int
    private let descriptor: Int32
    private let core: Core
    private var unread: [UInt8] = []

    fileprivate init(_ descriptor: Int32, number: Int, core: Core) {
      self.descriptor = descriptor
      self.number = number
      self.core = core
      var patience = timeval(tv_sec: ScriptedServer.patience, tv_usec: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    struct Ended: Error {}

    /// Reads the next request whole; throws at the end of the connection.
    @discardableResult
    func readRequest() throws -> ReceivedRequest {
      var request = try readHead()
      let length = request.header("content-length").flatMap { Int($0) } ?? 0
      while unread.count < length { try readMore() }
      request.body = Array(unread[..<length])
      unread.removeFirst(length)
      core.state.withLock { $0.requests.append(request) }
      return request
    }

    /// Reads up to the empty line; what follows stays unread here or in the kernel.
    @discardableResult
    func readHead() throws -> ReceivedRequest {
      let end = Array("\r\n\r\n".utf8)
      while true {
        if let found = unread.firstRange(of: end) {
          let lines = String(decoding: unread[..<found.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
          unread.removeFirst(found.upperBound)
          return ReceivedRequest(lines: lines)
        }
        try readMore()
      }
    }

    /// Reads `count` bytes of whatever comes.
    func read(_ count: Int) throws {
      while unread.count < count { try readMore() }
      unread.removeFirst(count)
    }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws {
      var position = 0
      while position < bytes.count {
        let count = bytes.withUnsafeBytes {
          send(descriptor, $0.baseAddress! + position, $0.count - position, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { throw Ended() }
        position += count
      }
    }

    /// A whole answer.
    func answer(_ status: Int, _ headers: [String] = [], body: String = "") throws {
      try write((["HTTP/1.1 \(status) Reason", "Content-Length: \(body.utf8.count)"] + headers + ["", body]).joined(separator: "\r\n"))
    }

    /// Answers each request with 200 until the other side closes.
    func serveWell() throws {
      while true {
        try readRequest()
        try answer(200)
      }
    }

    /// Ends the sending direction only.
    func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the close that follows a reset.
    func resetOnClose() {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Keeps the kernel's receive buffer small, so that a sender notices soon that nobody reads.
    func shrinkReceiveBuffer() {
      var size: Int32 = 4096
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Returns when the other side has closed, whatever it sends before that.
    func waitForEnd() throws {
      while true { try readMore() }
    }

    /// Returns when the other side has closed, without reading a byte (so a full receive buffer stays full).
    func waitForEndWithoutReading() {
      let peerHasClosed: Int16 = 0x2000  // POLLRDHUP, which Glibc shows to GNU sources only
      var event = pollfd(fd: descriptor, events: peerHasClosed, revents: 0)
      poll(&event, 1, Int32(ScriptedServer.patience * 1000))
    }

    private func readMore() throws {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { throw Ended() }
      unread += buffer[..<count]
    }
  }
}

/// A request as it came.
struct ReceivedRequest: Sendable {
  let line: String
  let fields: [(name: String, value: String)]
  var body: [UInt8] = []

  init(lines: [String]) {
    line = lines[0]
    fields = lines.dropFirst().map { line in
      let colon = line.firstIndex(of: ":")!
      return (String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
    }
  }

  /// The one value of a header; nil when it isn't there, and also when it is there twice.
  func header(_ name: String) -> String? {
    let found = fields.filter { $0.name.lowercased() == name.lowercased() }
    return found.count == 1 ? found[0].value : nil
  }

  var text: String { String(decoding: body, as: UTF8.self) }
}

/// A pause of a server that is slow on purpose: the scenario itself, not a wait for something.
func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
