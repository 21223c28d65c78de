internal import CLinux
internal import Glibc

/// A bound UDP socket, closed with its last reference.
final class DatagramSocket: Sendable {
  let fileDescriptor: Int32
  let localPort: Int
  /// The receive buffer in the kernel's count, which is twice what a request of that size gives.
  let grantedBufferBytes: Int64

  init(_ address: SyslogSource.Address, receiveBufferBytes: Int) throws(SyslogSourceError) {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address.host, String(address.port), &hints, &found) == 0, let found else {
      throw SyslogSourceError(
        .invalidAddress, "'\(address.host)' in \(address) is not an IPv4 or IPv6 address; names are not looked up, write the address itself"
      )
    }
    defer { freeaddrinfo(found) }

    let descriptor = socket(
      found.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw Self.failure("a socket", for: address, errno) }
    do throws(SyslogSourceError) {
      var one: Int32 = 1
      var zero: Int32 = 0
      let length = socklen_t(MemoryLayout<Int32>.size)
      // No SO_REUSEADDR: with it two processes could bind one port, and only the last would receive.
      if found.pointee.ai_family == AF_INET6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &zero, length) }
      guard setsockopt(descriptor, SOL_SOCKET, SO_RXQ_OVFL, &one, length) == 0 else {
        throw Self.failure("counting drops (SO_RXQ_OVFL)", for: address, errno)
      }
      // Before the bind, so that nothing arrives into the small default.
      grantedBufferBytes = linux_set_receive_buffer(descriptor, Int32(min(receiveBufferBytes, 1 << 30)))
      guard Glibc.bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else { throw Self.bindFailure(address, errno) }
      localPort = try Self.port(of: descriptor, address)
    } catch {
      close(descriptor)
      throw error
    }
    fileDescriptor = descriptor
  }

  deinit { close(fileDescriptor) }

  private static func port(of descriptor: Int32, _ address: SyslogSource.Address) throws(SyslogSourceError) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let code = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard code == 0 else { throw failure("the socket's port", for: address, errno) }
    // The port stands at the same place for both families.
    return withUnsafeBytes(of: storage) { Int($0.loadUnaligned(fromByteOffset: 2, as: UInt16.self).bigEndian) }
  }

  private static func bindFailure(_ address: SyslogSource.Address, _ code: Int32) -> SyslogSourceError {
    switch code {
    case EADDRINUSE:
      SyslogSourceError(
        .addressInUse,
        "\(address) is in use by another process: 'ss -ulpn sport = :\(address.port)' names it; stop it, or give another port in 'listen'")
    case EADDRNOTAVAIL:
      SyslogSourceError(
        .addressNotAvailable,
        "no interface of this machine has the address of \(address): 'ip address' lists what there is; 0.0.0.0 or [::] takes them all")
    case EACCES, EPERM:
      SyslogSourceError(
        .permissionDenied,
        "\(address) may not be bound: ports below 1024 need the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE); grant it, or give a port from 1024 on in 'listen'"
      )
    default: failure("bind", for: address, code)
    }
  }

  static func failure(_ what: String, for address: SyslogSource.Address, _ code: Int32) -> SyslogSourceError {
    let remedy =
      switch code {
      case EMFILE: "; raise the process's limit of open files (ulimit -n)"
      case ENFILE: "; raise the system's limit of open files (fs.file-max)"
      case ENOBUFS, ENOMEM: "; the kernel is out of memory for sockets, it is tried again"
      case EAFNOSUPPORT: "; the kernel has no such protocol (IPv6 may be off), give another address in 'listen'"
      default: ""
      }
    return SyslogSourceError(.system, "\(address): \(what) failed: \(String(cString: strerror(code))) (errno \(code))\(remedy)")
  }
}
