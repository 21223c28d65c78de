internal import AsyncHTTPClient
internal import Foundation
internal import Glibc
internal import NIOCore

/// Reads an answer's events, one JSON object a line. One task's alone.
final class EventReader {
  /// What is wrong with an answer.
  enum Failure: Error {
    case transport(any Error)
    case tooLong
    case notAnEvent
  }

  private var pieces: HTTPClientResponse.Body.AsyncIterator
  private var unread = ByteBuffer()
  /// How far it has no line feed.
  private var searched = 0
  private let maximumBytes: Int

  /// - Parameter maximumBytes: an event may have so many.
  init(_ body: HTTPClientResponse.Body, maximumBytes: Int) {
    pieces = body.makeAsyncIterator()
    self.maximumBytes = maximumBytes
  }

  /// The next event; nil when the answer has ended, also in the middle of one.
  func next() async throws(Failure) -> WireEvent? {
    while true {
      if let line = nextLine() {
        guard let event = try? JSONDecoder().decode(WireEvent.self, from: line) else { throw .notAnEvent }
        return event
      }
      guard unread.readableBytes <= maximumBytes else { throw .tooLong }
      let piece: ByteBuffer?
      do { piece = try await pieces.next(isolation: #isolation) } catch { throw .transport(error) }
      guard var piece else { return nil }
      unread.discardReadBytes()
      unread.writeBuffer(&piece)
    }
  }

  private func nextLine() -> Data? {
    let length = unread.withUnsafeReadableBytes { bytes -> Int? in
      guard bytes.count > searched, let found = memchr(bytes.baseAddress! + searched, 0x0A, bytes.count - searched) else { return nil }
      return UnsafeRawPointer(found) - bytes.baseAddress! + 1
    }
    guard let length else {
      searched = unread.readableBytes
      return nil
    }
    searched = 0
    return unread.readSlice(length: length).map { Data($0.readableBytesView) }
  }
}
