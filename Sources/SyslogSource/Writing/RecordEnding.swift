internal import CLinux
internal import Glibc
internal import PipelineCore

/// The end of a record, `"received_at":"…","peer":"…"}` and its line feed: the same for all datagrams of a peer in one receive round.
struct RecordEnding: ~Copyable {
  /// The most that an ending takes.
  static let maximumByteCount = 128
  /// INET6_ADDRSTRLEN.
  private static let peerCapacity = 46

  private let text: UnsafeMutableRawBufferPointer
  private var count = 0
  private var peerStart = 0
  private var family: UInt16 = 0
  private var address: (UInt64, UInt64) = (0, 0)

  init() {
    text = .allocate(byteCount: Self.maximumByteCount, alignment: 64)
    put("\"received_at\":\"")
    count += JSONText.timestampByteCount
    put("\",\"peer\":\"")
    peerStart = count
    setTime(0)
    endPeer(byteCount: 0)
  }

  deinit { text.deallocate() }

  /// Sets the wall time of the records that follow, in nanoseconds since 1970.
  mutating func setTime(_ nanoseconds: Int64) {
    guard let base = text.baseAddress else { return }
    JSONText.timestamp(nanoseconds, into: base + 15)
  }

  /// Sets the sender: its address without the port, an IPv4 address also when it came through an IPv6 socket.
  mutating func setPeer(of datagram: linux_datagram) {
    let words = withUnsafeBytes(of: datagram.address) {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    guard datagram.family != family || words.0 != address.0 || words.1 != address.1 else { return }
    family = datagram.family
    address = words
    let isMapped = family == UInt16(AF_INET6) && words.0 == 0 && UInt32(truncatingIfNeeded: UInt64(littleEndian: words.1)) == 0xFFFF_0000
    guard let place = text.baseAddress.map({ ($0 + peerStart).assumingMemoryBound(to: CChar.self) }) else { return }
    place.pointee = 0
    withUnsafeBytes(of: datagram.address) { bytes in
      _ = inet_ntop(
        isMapped ? AF_INET : Int32(family), bytes.baseAddress.map { isMapped ? $0 + 12 : $0 }, place, socklen_t(Self.peerCapacity))
    }
    endPeer(byteCount: strlen(place))
  }

  /// Writes the ending and returns how many bytes that took.
  func write(into output: UnsafeMutableRawPointer) -> Int {
    guard let base = text.baseAddress else { return 0 }
    output.copyMemory(from: base, byteCount: count)
    return count
  }

  private mutating func endPeer(byteCount: Int) {
    count = peerStart + byteCount
    put("\"}\n")
  }

  private mutating func put(_ characters: StaticString) {
    guard let base = text.baseAddress else { return }
    (base + count).copyMemory(from: characters.utf8Start, byteCount: characters.utf8CodeUnitCount)
    count += characters.utf8CodeUnitCount
  }
}
