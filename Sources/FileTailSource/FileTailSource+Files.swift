internal import Synchronization
public import SystemPackage

extension FileTailSource {
  /// How far a file was read.
  public struct FollowedFile: Sendable, Hashable {
    /// Where it is now, or was last seen.
    public var path: FilePath
    /// Bytes that were handed over; of a compressed file, bytes that were inflated.
    public var position: UInt64
    /// Its length at the last look; nil of a compressed file, whose length says nothing about positions.
    public var size: UInt64?
    /// Its last bytes came so long ago; since the source runs, if none has come.
    public var quiet: Duration
    /// No name that the source knows leads to it any more.
    public var isGone: Bool
  }

  /// The files that are followed, those with the newest bytes first, at most `limit` of them, and how many there are in all. From any
  /// thread; sorts all files, so once a second rather than a thousand times.
  public func files(limit: Int) -> (count: Int, newest: [FollowedFile]) { followed.newest(limit, now: SystemTailClock().now()) }
}

/// How far each file was read, shared between the source's thread and whoever asks.
final class FollowedFiles: Sendable {
  private struct Entry {
    var path: FilePath
    var position: UInt64
    var size: UInt64?
    var lastGrowth: Duration
    var isGone: Bool

    init(_ stream: TailedStream) {
      path = stream.identity.path
      // One that was passed over as a whole.
      position = stream.place.position == StreamPlace.endOfCompressed ? 0 : stream.place.position
      size = RotationName.isGzip(path.lastNameBytes) ? nil : max(stream.knownSize, stream.readEnd)
      lastGrowth = stream.lastLine.lastGrowth
      isGone = stream.isGone
    }
  }

  private let entries = Mutex<[UInt32: Entry]>([:])

  /// Notes how far a stream is; once a batch, not once a record.
  func note(_ stream: TailedStream) {
    let entry = Entry(stream)
    entries.withLock { $0[stream.number] = entry }
  }

  /// After a scan: these are followed, and no others.
  func replace(with streams: [UInt32: TailedStream]) {
    let all = streams.mapValues { Entry($0) }
    entries.withLock { $0 = all }
  }

  /// See ``FileTailSource/files(limit:)``.
  func newest(_ limit: Int, now: Duration) -> (count: Int, newest: [FileTailSource.FollowedFile]) {
    let all = entries.withLock { $0 }
    let newest = all.sorted { ($1.value.lastGrowth, $0.key) < ($0.value.lastGrowth, $1.key) }.prefix(limit).map(\.value)
    return (
      all.count,
      newest.map {
        FileTailSource.FollowedFile(
          path: $0.path, position: $0.position, size: $0.size, quiet: max(.zero, now - $0.lastGrowth), isGone: $0.isGone)
      }
    )
  }
}
