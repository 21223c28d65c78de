internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

extension QueueClient {
  /// Downloads a sealed segment, a gzip file of lines; goes on behind what it has when the connection breaks.
  /// - Parameter write: takes the next bytes; an error of it ends the download.
  public func download(_ segment: RemoteSegment, of queue: String, to write: (UnsafeRawBufferPointer) throws -> Void) async throws {
    var position: UInt64 = 0
    var writeFailure: (any Error)?
    try await persist { _ throws(QueueClientError) in
      var request = self.request(.GET, self.path(queue, "segments", segment.name))
      if position > 0 { request.headers.add(name: "Range", value: "bytes=\(position)-") }
      let response = try await self.send(request)
      // A segment never changes, so an answer without the range has the same bytes from the start.
      var passedOver = response.status == .partialContent ? 0 : position
      do {
        for try await piece in response.body {
          piece.withUnsafeReadableBytes { bytes in
            let skipped = Int(min(passedOver, UInt64(bytes.count)))
            passedOver -= UInt64(skipped)
            guard skipped < bytes.count else { return }
            do { try write(UnsafeRawBufferPointer(rebasing: bytes[skipped...])) } catch { writeFailure = error }
            position += UInt64(bytes.count - skipped)
          }
          if writeFailure != nil { return }
          if position > segment.storedBytes { break }
        }
      } catch {
        throw self.explained(error)
      }
      guard position == segment.storedBytes else {
        throw QueueClientError(
          .brokenAnswer, "\(self.configuration.address): \(segment.name) came with \(position) bytes instead of \(segment.storedBytes)",
          "look into the server's log")
      }
    }
    if let writeFailure { throw writeFailure }
  }
}
