import HTTPTypes
import NIOCore
import Synchronization
import Testing

@testable import QueueServer

@Suite("Requests of one address") struct PeerLimiterTests {
  private final class Clock: Sendable {
    let nanoseconds = Mutex<UInt64>(5_000_000_000)
    func advance(seconds: Double) { nanoseconds.withLock { $0 += UInt64(seconds * 1e9) } }
  }

  private let clock = Clock()

  private func limiter(_ requestsPerSecond: Int) -> PeerLimiter {
    let clock = self.clock
    return PeerLimiter(requestsPerSecond: requestsPerSecond) { clock.nanoseconds.withLock { $0 } }
  }

  private func address(_ text: String) throws -> SocketAddress { try SocketAddress(ipAddress: text, port: 80) }

  @Test func `pass as many as a second's worth at once, then one by one`() throws {
    let limiter = limiter(10)
    let peer = try address("192.0.2.1")
    #expect((0..<100).count { _ in limiter.refusal(peer: peer) == nil } == 10)
    let refusal = try #require(limiter.refusal(peer: peer))
    #expect(refusal.status == .tooManyRequests)
    #expect(refusal.code == "too_many_requests")
    #expect(refusal.fields[.retryAfter] == "1")
    clock.advance(seconds: 0.1)
    #expect((0..<100).count { _ in limiter.refusal(peer: peer) == nil } == 1)
    clock.advance(seconds: 100)
    #expect((0..<100).count { _ in limiter.refusal(peer: peer) == nil } == 10)
  }

  @Test func `pass one a second at the least`() throws {
    let limiter = limiter(1)
    let peer = try address("192.0.2.1")
    #expect(limiter.refusal(peer: peer) == nil)
    #expect(limiter.refusal(peer: peer) != nil)
    clock.advance(seconds: 1)
    #expect(limiter.refusal(peer: peer) == nil)
  }

  @Test func `don't count for another, but for the same network of IPv6`() throws {
    let limiter = limiter(1)
    for peer in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] { #expect(limiter.refusal(peer: try address(peer)) == nil) }
    for peer in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::2"] { #expect(limiter.refusal(peer: try address(peer)) != nil) }
  }

  @Test func `of a Unix socket have no limit`() throws {
    let limiter = limiter(1)
    let peer = try SocketAddress(unixDomainSocketPath: "/run/s")
    #expect((0..<100).count { _ in limiter.refusal(peer: peer) == nil && limiter.refusal(peer: nil) == nil } == 100)
  }

  @Test func `are remembered for a bounded number of addresses`() throws {
    let limiter = limiter(1)
    let peers = try (0..<PeerLimiter.maximumPeers + 10).map { try address("10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)") }
    #expect(peers.count { limiter.refusal(peer: $0) == nil } == PeerLimiter.maximumPeers + 1, "the last ones share one place")
    #expect(limiter.peerCount == PeerLimiter.maximumPeers)
    clock.advance(seconds: 2)
    #expect(limiter.refusal(peer: peers.last) == nil)
    #expect(limiter.peerCount == 1)
  }
}
