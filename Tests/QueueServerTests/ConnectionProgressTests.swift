import NIOCore
import Testing

@testable import QueueServer

/// Seconds after the connection came.
private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000) + .seconds(seconds) }

@Suite("A connection's progress") struct ConnectionProgressTests {
  private var progress: ConnectionProgress

  init() {
    progress = ConnectionProgress(limits: ConnectionLimits())
    progress.connected(isSecure: false, now: at(0))
  }

  private func request(_ progress: inout ConnectionProgress, at time: Int64) {
    progress.received(byteCount: 100, now: at(time))
    progress.requestBegan(now: at(time))
    progress.requestEnded(now: at(time))
  }

  @Test func `a head that doesn't come within ten seconds of connecting is a stall`() {
    var progress = progress
    for second in Int64(0)..<10 { progress.received(byteCount: 1, now: at(second)) }
    #expect(progress.deadline == at(10))
    #expect(progress.stall(bufferedBytes: 0, now: at(9)) == nil)
    #expect(progress.stall(bufferedBytes: 0, now: at(10)) == .header)
  }

  @Test func `a later head counts from its first byte`() {
    var progress = progress
    request(&progress, at: 1)
    progress.responseEnded(now: at(2))
    #expect(progress.deadline == at(62))
    progress.received(byteCount: 1, now: at(50))
    #expect(progress.deadline == at(60))
    progress.received(byteCount: 1, now: at(59))
    #expect(progress.stall(bufferedBytes: 0, now: at(60)) == .header)
  }

  @Test func `no further request within a minute is a stall`() {
    var progress = progress
    request(&progress, at: 1)
    progress.responseEnded(now: at(2))
    #expect(progress.stall(bufferedBytes: 0, now: at(61)) == nil)
    #expect(progress.stall(bufferedBytes: 0, now: at(62)) == .idle)
  }

  @Test func `the TLS handshake has a time of its own, and the head one after it`() {
    var progress = ConnectionProgress(limits: ConnectionLimits())
    progress.connected(isSecure: true, now: at(0))
    progress.received(byteCount: 500, now: at(1))
    #expect(progress.stall(bufferedBytes: 0, now: at(10)) == .handshake)
    progress.handshakeCompleted(now: at(9))
    #expect(progress.stall(bufferedBytes: 0, now: at(18)) == nil)
    #expect(progress.stall(bufferedBytes: 0, now: at(19)) == .header)
  }

  @Test func `a request that waits for records is none, however long`() {
    var progress = progress
    request(&progress, at: 1)
    #expect(progress.deadline == nil)
    #expect(progress.stall(bufferedBytes: 0, now: at(100_000)) == nil)
  }

  @Test func `a byte of a body now and then is a stall`() {
    var progress = progress
    progress.received(byteCount: 100, now: at(1))
    progress.requestBegan(now: at(1))
    for second in Int64(2)..<31 {
      // Each byte is a read of its own: what passes between two reads isn't a pause of the server's.
      progress.wantsToRead(now: at(second - 1))
      progress.received(byteCount: 1, now: at(second))
      progress.readOnce(now: at(second))
      progress.wantsToRead(now: at(second))
      #expect(progress.stall(bufferedBytes: 0, now: at(second)) == nil)
    }
    #expect(progress.deadline == at(31))
    #expect(progress.stall(bufferedBytes: 0, now: at(31)) == .body)
  }

  @Test func `a slow body that comes on is none`() {
    var progress = progress
    progress.requestBegan(now: at(1))
    for minute in Int64(1)..<100 {
      progress.received(byteCount: 4096, now: at(minute * 29))
      #expect(progress.deadline == at(minute * 29 + 30))
      #expect(progress.stall(bufferedBytes: 0, now: at(minute * 29 + 29)) == nil)
    }
  }

  @Test func `while the server doesn't read a body, its time stands still`() {
    var progress = progress
    progress.requestBegan(now: at(1))
    progress.readOnce(now: at(21))
    #expect(progress.deadline == nil)
    #expect(progress.stall(bufferedBytes: 0, now: at(1000)) == nil)
    progress.wantsToRead(now: at(1001))
    #expect(progress.deadline == at(1011))
    #expect(progress.stall(bufferedBytes: 0, now: at(1011)) == .body)
  }

  @Test func `the rest of a body that is answered already may come for a while only`() {
    var progress = progress
    progress.requestBegan(now: at(1))
    progress.responseEnded(now: at(2))
    for second in Int64(3)..<32 { progress.received(byteCount: 1 << 20, now: at(second)) }
    #expect(progress.stall(bufferedBytes: 0, now: at(31)) == nil)
    #expect(progress.stall(bufferedBytes: 0, now: at(32)) == .body)
    progress.requestEnded(now: at(31))
    #expect(progress.deadline == at(91))
  }

  @Test func `requests that come one behind the other are answered before anything is asked of the client`() {
    var progress = progress
    request(&progress, at: 1)
    request(&progress, at: 1)
    progress.responseEnded(now: at(100))
    #expect(progress.deadline == nil)
    progress.received(byteCount: 3, now: at(101))
    progress.responseEnded(now: at(200))
    #expect(progress.deadline == at(210))
    #expect(progress.stall(bufferedBytes: 0, now: at(210)) == .header)
  }

  @Test func `a response of which nothing is taken for a minute is a stall`() {
    var progress = progress
    request(&progress, at: 1)
    progress.willWrite(byteCount: 1 << 20, bufferedBytes: 0, now: at(5))
    #expect(progress.deadline == at(65))
    #expect(progress.stall(bufferedBytes: 1 << 20, now: at(64)) == nil)
    #expect(progress.stall(bufferedBytes: 1 << 20, now: at(65)) == .response)
  }

  @Test func `a response that is taken too slowly is a stall, one at the floor isn't`() {
    var progress = progress
    request(&progress, at: 1)
    progress.willWrite(byteCount: 1 << 20, bufferedBytes: 0, now: at(0))
    var buffered = 1 << 20
    for minute in Int64(1)...10 {
      buffered -= 4096
      #expect(progress.stall(bufferedBytes: buffered, now: at(60 * minute)) == nil)
    }
    buffered -= 4095
    #expect(progress.stall(bufferedBytes: buffered, now: at(660)) == .response)
  }

  @Test func `the time between requests begins when the response is taken`() {
    var progress = progress
    request(&progress, at: 1)
    progress.willWrite(byteCount: 1 << 20, bufferedBytes: 0, now: at(1))
    progress.responseEnded(now: at(1))
    for step in Int64(1)...20 { #expect(progress.stall(bufferedBytes: (1 << 20) - Int(step) * 5000, now: at(10 * step)) == nil) }
    #expect(progress.stall(bufferedBytes: 0, now: at(205)) == nil)
    #expect(progress.deadline == at(260))
    #expect(progress.stall(bufferedBytes: 0, now: at(260)) == .idle)
  }

  @Test func `what is taken at once asks nothing more`() {
    var progress = progress
    request(&progress, at: 1)
    progress.willWrite(byteCount: 1000, bufferedBytes: 0, now: at(5))
    #expect(progress.stall(bufferedBytes: 0, now: at(6)) == nil)
    #expect(progress.deadline == nil)
    // A time that began with a write long taken isn't held against the next.
    progress.willWrite(byteCount: 1000, bufferedBytes: 0, now: at(7))
    progress.willWrite(byteCount: 1000, bufferedBytes: 0, now: at(66))
    #expect(progress.stall(bufferedBytes: 1000, now: at(67)) == nil)
    #expect(progress.stall(bufferedBytes: 1000, now: at(126)) == .response)
  }

  @Test func `writing more doesn't give a client that takes nothing more time`() {
    var progress = progress
    request(&progress, at: 1)
    progress.willWrite(byteCount: 1000, bufferedBytes: 0, now: at(2))
    for second in Int64(3)..<62 { progress.willWrite(byteCount: 1000, bufferedBytes: 1000 * Int(second - 2), now: at(second)) }
    #expect(progress.stall(bufferedBytes: 60_000, now: at(62)) == .response)
  }
}
