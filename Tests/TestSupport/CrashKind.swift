/// What a crash leaves of the changes that were not synced. ``SimulatedFileSystem`` has the whole fault model.
public enum CrashKind: String, Sendable, Hashable, CaseIterable {
  /// The process died, the machine lives (`kill -9`): everything is there, and what was not synced still isn't.
  case everythingKept
  /// The power went before anything unsynced had reached the disk.
  case unsyncedLost
  /// Every name is there, and of every file only what was synced: names ran ahead of the data.
  case bytesLost
  /// Every byte is there, and of every directory only what was synced: the data ran ahead of the names.
  case namesLost
  /// Everything is there but the last write of each file, which ends at a seeded 512-byte boundary.
  case lastTorn
  /// Everything is there but the last write of each file, of which seeded sectors, at least one, are noise.
  case lastGarbled
  /// The power went while the kernel was writing: a seeded mixture of kept, lost, torn and garbled. Durable bytes stay as they are.
  case mixture
  /// As ``mixture``, and a garbled sector takes the durable bytes in it along: a disk without power-safe overwrites. What was promised
  /// durable may be damaged after it, so test that damage is noticed and stays where it is, not that nothing is lost.
  case mixtureDamagingSharedSectors

  /// Whether the seed plays a part: only then are there several variants.
  public var isSeeded: Bool {
    switch self {
    case .everythingKept, .unsyncedLost, .bytesLost, .namesLost: false
    case .lastTorn, .lastGarbled, .mixture, .mixtureDamagingSharedSectors: true
    }
  }
}
