import Foundation
import Synchronization

/// An HTTP server that answers each request as a test says, down to where its body breaks off; on loopback, or at a Unix socket. Each
/// connection has a thread of its own, and nothing waits longer than ``patience``.
final class ServerDouble: Sendable {
  static let patience = 20

  /// A request as it came.
  struct Request: Sendable {
    var method = ""
    var target = ""
    var fields: [String: String] = [:]
    var body: [UInt8] = []
    /// How many came before it.
    var number = 0

    var path: String { String(target.prefix { $0 != "?" }) }
    /// The query's parameters, percent-decoded.
    var query: [String: String] {
      var result: [String: String] = [:]
      for item in target.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
        let parts = item.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
        result[parts[0]] = parts.count > 1 ? parts[1] : ""
      }
      return result
    }
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  /// What is answered.
  struct Reply: Sendable {
    var status = 200
    var headers: [String] = []
    var body: [UInt8] = []
    /// Send so many bytes of the body and close; nil for all of it.
    var brokenAt: Int?
    /// Close without an answer.
    var closes = false

    static let nothing = Reply(closes: true)
    static func json(_ text: String, status: Int = 200) -> Reply {
      Reply(status: status, headers: ["Content-Type: application/json"], body: Array(text.utf8))
    }
    static func problem(_ status: Int, _ text: String, _ headers: [String] = []) -> Reply {
      Reply(status: status, headers: ["Content-Type: application/problem+json"] + headers, body: Array(text.utf8))
    }
  }

  let address: String
  private let core: Core

  /// The requests that were read whole, in order.
  var requests: [Request] { core.state.withLock { $0.requests } }

  init(unixSocket: String? = nil, _ answer: @escaping @Sendable (Request) -> Reply) {
    let core = Core()
    self.core = core
    let (listener, address) = Self.listen(unixSocket)
    self.address = address
    core.state.withLock { $0.listener = listener }
    Thread.detachNewThread {
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { return }
        core.state.withLock { _ = $0.open.insert(descriptor) }
        Thread.detachNewThread {
          Self.serve(descriptor, core, answer)
          core.state.withLock { if $0.open.remove(descriptor) != nil { close(descriptor) } }
        }
      }
    }
  }

  deinit {
    core.state.withLock { state in
      shutdown(state.listener, Int32(SHUT_RDWR))
      close(state.listener)
      for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  private final class Core: Sendable {
    struct State {
      var listener: Int32 = -1
      var requests: [Request] = []
      var open: Set<Int32> = []
    }
    let state = Mutex(State())
  }

  private static func listen(_ unixSocket: String?) -> (descriptor: Int32, address: String) {
    if let unixSocket {
      let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(unixSocket.utf8)) }
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          precondition(
            bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 && Glibc.listen(listener, 64) == 0, "no Unix socket")
        }
      }
      return (listener, "unix:\(unixSocket)")
    }
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(listener, $0, length) == 0 && Glibc.listen(listener, 64) == 0, "no loopback socket")
        getsockname(listener, $0, &length)
      }
    }
    return (listener, "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))")
  }

  private static func serve(_ descriptor: Int32, _ core: Core, _ answer: (Request) -> Reply) {
    var limit = timeval(tv_sec: patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var unread: [UInt8] = []
    while var request = readRequest(descriptor, &unread) {
      core.state.withLock {
        request.number = $0.requests.count
        $0.requests.append(request)
      }
      let reply = answer(request)
      if reply.closes { return }
      let hasBody = reply.status != 204
      var head = "HTTP/1.1 \(reply.status) Reason\r\n"
      if hasBody { head += "Content-Length: \(reply.body.count)\r\n" }
      for header in reply.headers { head += header + "\r\n" }
      var bytes = Array((head + "\r\n").utf8)
      if hasBody { bytes += reply.body.prefix(reply.brokenAt ?? reply.body.count) }
      var sent = 0
      while sent < bytes.count {
        let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { return }
        sent += count
      }
      if reply.brokenAt != nil { return }
    }
  }

  private static func readRequest(_ descriptor: Int32, _ unread: inout [UInt8]) -> Request? {
    func more() -> Bool {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return false }
      unread += buffer[..<count]
      return true
    }
    let blank = Array("\r\n\r\n".utf8)
    while unread.firstRange(of: blank) == nil { guard more() else { return nil } }
    let end = unread.firstRange(of: blank)!
    let lines = String(decoding: unread[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    unread.removeFirst(end.upperBound)
    var request = Request()
    let words = lines[0].split(separator: " ").map(String.init)
    (request.method, request.target) = (words[0], words[1])
    for line in lines.dropFirst() {
      let colon = line.firstIndex(of: ":")!
      request.fields[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    if request.fields["transfer-encoding"] == "chunked" { return nil }
    let length = request.fields["content-length"].flatMap { Int($0) } ?? 0
    while unread.count < length { guard more() else { return nil } }
    request.body = Array(unread[..<length])
    unread.removeFirst(length)
    return request
  }
}
