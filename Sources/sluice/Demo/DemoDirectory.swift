internal import Foundation
internal import Glibc

/// A directory of a demonstration's own; nothing of it is left behind.
struct DemoDirectory: Sendable {
  /// What a demonstration's queue takes at most, and as much again for other programs.
  private static let neededBytes: UInt64 = 256 << 20

  let path: String

  /// Makes it where temporary files go.
  init() throws(CommandFailure) {
    let parent = ConnectionOptions.environment("TMPDIR") ?? "/tmp"
    var space = statvfs()
    guard statvfs(parent, &space) == 0 else {
      throw CommandFailure(.failure, "\(parent): \(String(cString: strerror(errno))); name another directory for temporary files by TMPDIR")
    }
    let free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
    guard free >= Self.neededBytes else {
      throw CommandFailure(
        .failure,
        "\(parent) has \(HumanText.bytes(free)) free, and a demonstration needs \(HumanText.bytes(Self.neededBytes)); free some, or name another directory by TMPDIR"
      )
    }
    var template = Array("\(parent)/sluice-demo-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw CommandFailure(
        .failure, "no directory can be made in \(parent): \(String(cString: strerror(errno))); name another one by TMPDIR")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Removes it with all that is in it.
  func remove() throws(CommandFailure) {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      throw CommandFailure(.failure, "\(path) can't be removed: \(error.localizedDescription); remove it by hand")
    }
  }
}
