public import RecordBlocks

/// A client's own name for what it sends, under which it may send it again: after a lost answer, a crash, a restart.
public struct IdempotencyKey: Sendable, Hashable {
  let text: String
  let bodyHash: [UInt8]

  /// A key and what tells its body from another one; nil unless `text` is 1 to 128 bytes of visible ASCII and the hash at most 32 bytes.
  public init?(_ text: String, bodyHash: [UInt8]) {
    guard KeyedBody.isValid(key: text.utf8), bodyHash.count <= KeyedBody.maximumHashBytes else { return nil }
    self.text = text
    self.bodyHash = bodyHash
  }
}

/// What became of records that were sent under a key.
public struct KeyedAppend: Sendable, Hashable {
  /// The offsets that they have; retention may have deleted the records since.
  public var range: Range<Offset>
  /// They were there already: nothing was written.
  public var wasThere: Bool

  /// Records that have these offsets.
  public init(range: Range<Offset>, wasThere: Bool) {
    self.range = range
    self.wasThere = wasThere
  }
}

extension SourceWriter {
  /// The most bytes of lines that may be written under one key: they are one block, which a reader holds in memory as a whole.
  public static let keyedByteLimit = 8 << 20

  /// Writes records once, however often they are sent under `key`; they are on the disk on return. Several tasks may do so at once.
  ///
  /// Key and records are one block, so they are there wholly or not at all, whatever crashes. A second call under a key that is on its
  /// way waits for the first, and writes if that one failed. Keys are known for 24 hours in which the queue is open, the newest 10,000 (in a
  /// queue of small segments fewer: all together they take at most an eighth of a segment, or 64 KiB), also when their records are deleted.
  ///
  /// Suspends as ``write(_:checkpoints:)`` does. A task that is cancelled while it waits for room has written nothing; one that has got its
  /// place waits for the disk, and a later call under its key finds what became of it.
  /// - Parameter batch: at most ``keyedByteLimit`` bytes.
  /// - Throws: ``QueueError``: `keyConflict` when other records were written under the key; `full` when they were dropped; `closed`.
  @discardableResult
  public func write(_ batch: consuming RecordBatch, key: IdempotencyKey) async throws -> KeyedAppend {
    precondition(batch.byteCount <= Self.keyedByteLimit, "a keyed batch exceeds 8 MiB")
    if let known = try await queue.claim(key) { return KeyedAppend(range: known, wasThere: true) }
    defer { queue.letGo(of: key) }
    try await queue.admit(batch.byteCount, whenFull: whenFull)
    let ticket = queue.enqueue(batch, key, from: self)
    return KeyedAppend(range: try await ticket.durableRange(), wasThere: false)
  }
}
