/// One directory's names, twice: as the cache has them and as the disk has them, and the changes between the two.
struct SimulatedDirectoryContent: Sendable {
  enum Change: Sendable {
    case link(name: String, node: Int)
    case unlink(name: String, node: Int)
    case rename(from: String, to: String, node: Int, replaced: Int?)

    var names: [String] {
      switch self {
      case .link(let name, _), .unlink(let name, _): [name]
      case .rename(let from, let to, _, _): [from, to]
      }
    }

    var nodes: [Int] {
      switch self {
      case .link(_, let node), .unlink(_, let node): [node]
      case .rename(_, _, let node, let replaced): replaced.map { [node, $0] } ?? [node]
      }
    }
  }

  /// What look-ups see.
  private(set) var entries: [String: Int] = [:]
  /// What a power cut leaves for sure.
  private(set) var durable: [String: Int] = [:]
  /// Changes since the last sync, in order.
  private(set) var pending: [Change] = []

  /// A directory whose names are all durable.
  init(durable entries: [String: Int] = [:]) {
    self.entries = entries
    durable = entries
  }

  mutating func make(_ change: Change) {
    Self.apply(change, to: &entries)
    pending.append(change)
  }

  mutating func sync() {
    for change in pending { Self.apply(change, to: &durable) }
    pending = []
  }

  /// A name given from outside, on the disk and in the cache.
  mutating func plant(_ name: String, _ node: Int) {
    entries[name] = node
    durable[name] = node
  }

  /// Whether a crash could bring the node back.
  func mentions(_ node: Int) -> Bool {
    entries.values.contains(node) || durable.values.contains(node) || pending.contains { $0.nodes.contains(node) }
  }

  /// What stands on the disk after a power cut.
  func survivor(_ kind: CrashKind, _ random: inout SplitMix64) -> [String: Int] {
    switch kind {
    case .everythingKept, .bytesLost, .lastTorn, .lastGarbled: return entries
    case .unsyncedLost, .namesLost: return durable
    case .mixture, .mixtureDamagingSharedSectors:
      var survivors = durable
      if random.chance(1, in: 2) {
        // A journal: what is kept is a beginning.
        for change in pending.prefix(random.int(0...pending.count)) { Self.apply(change, to: &survivors) }
        return survivors
      }
      var lostNames: Set<String> = []
      var lostNodes: Set<Int> = []
      for change in pending {
        if lostNames.isDisjoint(with: change.names), lostNodes.isDisjoint(with: change.nodes), random.chance(1, in: 2) {
          Self.apply(change, to: &survivors)
        } else {
          lostNames.formUnion(change.names)
          lostNodes.formUnion(change.nodes)
        }
      }
      return survivors
    }
  }

  private static func apply(_ change: Change, to entries: inout [String: Int]) {
    switch change {
    case .link(let name, let node): entries[name] = node
    case .unlink(let name, _): entries[name] = nil
    case .rename(let from, let to, let node, _):
      entries[from] = nil
      entries[to] = node
    }
  }
}
