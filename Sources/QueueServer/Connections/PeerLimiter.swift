internal import HTTPTypes
public import NIOCore
internal import Synchronization

/// How many requests a second an address may send: as many as a second's worth at once, and on the average no more.
///
/// Of each address one time is kept, up to which its requests so far are paid for (the generic cell rate algorithm). An IPv6 address stands
/// for its /64, which is one customer's. The table is bounded: when it is full, addresses that owe nothing are forgotten, and those that find
/// no room share one entry.
public final class PeerLimiter: Sendable {
  /// Addresses that are remembered.
  static let maximumPeers = 10_000

  private struct State {
    var paidUntil: [[UInt8]: UInt64] = [:]
    var othersPaidUntil: UInt64 = 0
    var sweptAt: UInt64 = 0
  }

  /// Nanoseconds that a request costs.
  private let cost: UInt64
  /// Nanoseconds that may be paid in advance.
  private let burst: UInt64
  private let now: @Sendable () -> UInt64
  private let state = Mutex(State())

  /// A limit for each address.
  public convenience init(requestsPerSecond: Int) {
    self.init(requestsPerSecond: requestsPerSecond) { NIODeadline.now().uptimeNanoseconds }
  }

  init(requestsPerSecond: Int, now: @escaping @Sendable () -> UInt64) {
    precondition(requestsPerSecond > 0)
    cost = max(1, 1_000_000_000 / UInt64(requestsPerSecond))
    burst = 1_000_000_000 - min(cost, 1_000_000_000)
    self.now = now
  }

  /// Counts a request of a peer; the answer when it was one too many. Unix sockets have no limit.
  public func refusal(peer: SocketAddress?) -> RequestRefusal? {
    guard let key = peer.flatMap(Self.key) else { return nil }
    guard let wait = state.withLock({ wait(&$0, key, now()) }) else { return nil }
    let seconds = max(1, (wait + 999_999_999) / 1_000_000_000)
    return RequestRefusal(
      status: .tooManyRequests, code: "too_many_requests", title: "Too many requests",
      detail:
        "this address sends more requests a second than requests_per_second allows; ask for more at a time, or use wait to be told of records",
      fields: [.retryAfter: "\(seconds)"])
  }

  /// The addresses that are remembered.
  var peerCount: Int { state.withLock(\.paidUntil.count) }

  /// Nanoseconds until the peer may send again; nil when it may now, which is paid.
  private func wait(_ state: inout State, _ key: [UInt8], _ now: UInt64) -> UInt64? {
    if state.paidUntil[key] == nil, state.paidUntil.count >= Self.maximumPeers, now >= state.sweptAt + 1_000_000_000 {
      state.sweptAt = now
      state.paidUntil = state.paidUntil.filter { $0.value > now }
    }
    let isKnown = state.paidUntil[key] != nil || state.paidUntil.count < Self.maximumPeers
    let from = max(now, isKnown ? state.paidUntil[key] ?? 0 : state.othersPaidUntil)
    guard from - now <= burst else { return from - now - burst }
    if isKnown { state.paidUntil[key] = from + cost } else { state.othersPaidUntil = from + cost }
    return nil
  }

  private static func key(_ address: SocketAddress) -> [UInt8]? {
    // The address stands behind family and port (`man 7 ip`), in IPv6 behind the flow label too (`man 7 ipv6`).
    address.withSockAddr { start, count in
      let bytes = UnsafeRawBufferPointer(start: start, count: count)
      return switch address {
      case .v4: Array(bytes[4..<8])
      case .v6: key(ofIPv6: Array(bytes[8..<24]))
      case .unixDomainSocket: nil
      }
    }
  }

  /// An IPv4 address inside an IPv6 one is that.
  private static func key(ofIPv6 bytes: [UInt8]) -> [UInt8] {
    let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return isMapped ? Array(bytes[12...]) : Array(bytes[..<8])
  }
}
