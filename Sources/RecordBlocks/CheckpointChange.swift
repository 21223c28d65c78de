/// What a source says of one of its streams together with the records that make it true.
public enum CheckpointChange: Sendable, Hashable {
  /// The stream's new checkpoint. `identity` (what the stream is: a file's head, device and inode, say) is given when it is new or has
  /// changed.
  /// Numbers of streams are the source's to give; both byte strings are for the source alone to read.
  case set(stream: UInt32, identity: [UInt8]?, value: [UInt8])
  /// The stream is over and done with; its number may be given again.
  case forget(stream: UInt32)
}

/// A stream's saved place.
public struct StreamCheckpoint: Sendable, Hashable {
  /// The stream's number within its source.
  public var stream: UInt32
  /// What the stream is.
  public var identity: [UInt8]
  /// How far it was read.
  public var value: [UInt8]

  /// A saved place.
  public init(stream: UInt32, identity: [UInt8], value: [UInt8]) {
    self.stream = stream
    self.identity = identity
    self.value = value
  }
}
