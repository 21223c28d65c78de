import Glibc

/// A UDP socket that sends to a port of this machine.
final class DatagramSender: Sendable {
  private let fileDescriptor: Int32

  /// - Parameter host: a numeric address.
  init(to host: String = "127.0.0.1", port: Int) {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    precondition(getaddrinfo(host, String(port), &hints, &found) == 0, "not an address: \(host)")
    defer { freeaddrinfo(found) }
    fileDescriptor = socket(found!.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    precondition(connect(fileDescriptor, found!.pointee.ai_addr, found!.pointee.ai_addrlen) == 0, "connect: errno \(errno)")
  }

  deinit { close(fileDescriptor) }

  /// Sends one datagram; on the loopback it is in the receiver's buffer, or dropped there, on return.
  func send(_ bytes: [UInt8]) {
    let sent = bytes.withUnsafeBytes { Glibc.send(fileDescriptor, $0.baseAddress ?? UnsafeRawPointer(bitPattern: 1), $0.count, 0) }
    precondition(sent == bytes.count, "send: errno \(errno)")
  }

  func send(_ text: String) { send(Array(text.utf8)) }
}
