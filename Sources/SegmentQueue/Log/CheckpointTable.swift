internal import RecordBlocks

/// Everything that blocks say beside lines, as of one point in the log: sources' names, streams' checkpoints, the last epochs and keys.
struct CheckpointTable {
  struct Stream {
    var identity: [UInt8]
    var value: [UInt8]
  }
  struct Epoch: Hashable {
    var number: UInt32
    var first: Offset
  }

  static let rememberedEpochs = 1000
  /// Entries of one snapshot block; a gzip extra field ends at 64 KiB.
  private static let snapshotPartBytes = 48 << 10

  private(set) var sources: [String: UInt32] = [:]
  private(set) var streams: [UInt32: [UInt32: Stream]] = [:]
  private(set) var epochs: [Epoch] = []
  var keys = KeyTable()

  /// A number that no source has.
  var unusedSource: UInt32 { (sources.values.max() ?? 0) + 1 }

  func name(of source: UInt32) -> String? { sources.first { $0.value == source }?.key }

  mutating func apply(_ entries: [BlockEntry]) {
    for entry in entries {
      switch entry {
      case .source(let id, let name): sources[name] = id
      case .checkpoint(let source, let stream, let identity, let value):
        let known = streams[source]?[stream]
        streams[source, default: [:]][stream] = Stream(identity: identity ?? known?.identity ?? [], value: value)
      case .forget(let source, let stream): streams[source]?[stream] = nil
      case .epoch(let number, let first):
        epochs.removeAll { $0.number == number }
        epochs.append(Epoch(number: number, first: first))
        if epochs.count > Self.rememberedEpochs { epochs.removeFirst(epochs.count - Self.rememberedEpochs) }
      case .key(let body): keys.add(body)
      case .gap: break
      }
    }
  }

  func checkpoints(of source: UInt32) -> [StreamCheckpoint] {
    (streams[source] ?? [:]).sorted { $0.key < $1.key }.map {
      StreamCheckpoint(stream: $0.key, identity: $0.value.identity, value: $0.value.value)
    }
  }

  /// All of it, in parts that fit a header each; at least one part, however empty.
  func snapshotParts() -> [[BlockEntry]] {
    var entries = sources.sorted { $0.value < $1.value }.map { BlockEntry.source(id: $0.value, name: $0.key) }
    entries += epochs.map { .epoch(number: $0.number, first: $0.first) }
    for (source, streams) in streams.sorted(by: { $0.key < $1.key }) {
      entries += streams.sorted { $0.key < $1.key }.map {
        .checkpoint(source: source, stream: $0.key, identity: $0.value.identity, value: $0.value.value)
      }
    }
    entries += keys.bodies.map(BlockEntry.key)
    var parts: [[BlockEntry]] = [[]]
    var bytes = 0
    for entry in entries {
      if bytes + entry.encodedByteCount > Self.snapshotPartBytes && bytes > 0 {
        parts.append([])
        bytes = 0
      }
      parts[parts.count - 1].append(entry)
      bytes += entry.encodedByteCount
    }
    return parts
  }
}
