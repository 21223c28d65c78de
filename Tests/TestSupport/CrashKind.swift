/// What a crash leaves of the changes that were not synced. ``SimulatedFileSystem`` has the whole fault model.
public enum CrashKind: Sendable, Hashable, CaseIterable {
  /// The process died, the machine lives (`kill -9`): everything is there, and what was not synced still isn't.
  case everythingKept
  /// The power went before anything unsynced had reached the disk.
  case unsyncedLost
  /// The power went while the kernel was writing: a seeded mixture of kept, lost, torn and garbled. Durable bytes stay as they are.
  case mixture
  /// As ``mixture``, and a garbled sector takes the durable bytes in it along: a disk without power-safe overwrites. What was promised
  /// durable may be damaged after it, so test that damage is noticed and stays where it is, not that nothing is lost.
  case mixtureDamagingSharedSectors
}
