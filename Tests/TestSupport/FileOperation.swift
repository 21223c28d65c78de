/// One call on a ``SimulatedFileSystem``, as its log tells it.
public struct FileOperation: Sendable, Hashable, CustomStringConvertible {
  /// What was called.
  public enum Kind: String, Sendable, Hashable {
    case openDirectory = "open-directory"
    case makeDirectory = "make-directory"
    case syncDirectory = "sync-directory"
    case list, look, open, create, rename, unlink, measure
    case read, write, truncate, sync, lock
  }

  /// 1 for the first call.
  public let number: Int
  /// What was called.
  public let kind: Kind
  /// On which path, from the root on, without a leading slash.
  public let path: String
  /// What else there is to say: `1024@4096` for bytes at a position, the new name of a rename.
  public let detail: String

  /// Whether it changes the file system or makes a change durable.
  public var isChange: Bool {
    switch kind {
    case .makeDirectory, .syncDirectory, .create, .rename, .unlink, .write, .truncate, .sync: true
    case .openDirectory, .list, .look, .open, .measure, .read, .lock: false
    }
  }

  /// `write segments/0.gz.active 1024@4096`.
  public var description: String { detail.isEmpty ? "\(kind.rawValue) \(path)" : "\(kind.rawValue) \(path) \(detail)" }
}
