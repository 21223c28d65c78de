internal import DurableFiles
internal import RecordBlocks

/// The file `queue.json`: format version, identity, creation time. Small, written once, rebuilt from the segments when lost.
struct QueueIdentity: Hashable {
  static let name = "queue.json"
  static let formatVersion = 1

  var id: QueueID
  /// Seconds since 1970.
  var created: Int64

  var text: String { "{\"format\": \(Self.formatVersion), \"id\": \"\(id)\", \"created\": \(created)}\n" }

  enum Failure: Error {
    /// Not ours, or garbled.
    case unreadable
    case newer(Int)
  }

  /// Reads what ``text`` writes; white space and the order of keys don't matter, unknown keys are ignored.
  static func parse(_ bytes: [UInt8]) throws(Failure) -> QueueIdentity {
    let text = String(decoding: bytes, as: UTF8.self)
    func value(_ key: String) -> Substring? {
      guard let at = text.firstRange(of: "\"\(key)\"") else { return nil }
      let rest = text[at.upperBound...].drop { $0 == " " || $0 == ":" || $0 == "\n" || $0 == "\t" }
      if rest.first == "\"" { return rest.dropFirst().prefix { $0 != "\"" } }
      return rest.prefix { $0.isNumber }
    }
    guard let format = value("format").flatMap({ Int($0) }) else { throw .unreadable }
    guard format <= formatVersion else { throw .newer(format) }
    guard format >= 1, let id = value("id").flatMap({ QueueID(String($0)) }) else { throw .unreadable }
    return QueueIdentity(id: id, created: value("created").flatMap { Int64($0) } ?? 0)
  }
}
