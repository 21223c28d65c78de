internal import Foundation
internal import PipelineCore
internal import RecordBlocks

/// The elements of a JSON array as records: a string is its text, everything else its JSON on one line.
///
/// So what ``PullParameters/Format/jsonArray`` gives can be pushed again, and so can the arrays of Flume's HTTP source.
enum JSONRecords {
  /// - Throws: ``Problem`` `bad_body` that names the element.
  static func batch(from body: [UInt8]) throws -> RecordBatch {
    guard body.withUnsafeBytes({ JSONValidator.isValue($0) }), let open = body.firstIndex(where: { !isBlank($0) }),
      body[open] == UInt8(ascii: "[")
    else {
      throw Problem.badBody(
        "with Content-Type: application/json the body is one JSON array, each element a record; for lines send text/plain or application/x-ndjson"
      )
    }
    var batch = RecordBatch(minimumCapacity: body.count)
    var (position, depth, isInString, index) = (open + 1, 0, false, 0)
    var start = position
    while position < body.count {
      let byte = body[position]
      if isInString {
        if byte == UInt8(ascii: "\\") { position += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "]") where depth == 0, UInt8(ascii: ",") where depth == 0:
          try append(body[start..<position], index, to: &batch)
          index += 1
          start = position + 1
          if byte == UInt8(ascii: "]") { return batch }
        case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
        default: break
        }
      }
      position += 1
    }
    return batch
  }

  private static func append(_ text: ArraySlice<UInt8>, _ index: Int, to batch: inout RecordBatch) throws {
    guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) }) else { return }
    let element = text[first...last]
    if element[first] == UInt8(ascii: "\"") {
      guard let decoded = try? JSONDecoder().decode([String].self, from: Data([0x5B] + element + [0x5D])), let string = decoded.first else {
        throw Problem.badBody("element \(index) is a string that can't be read")
      }
      guard !string.utf8.contains(0x0A) else {
        throw Problem.badBody("element \(index) is a string with a line feed, and a record is one line; send it within an object")
      }
      Array(string.utf8).withUnsafeBytes { batch.append($0) }
    } else {
      // Line feeds stand between tokens only: within strings JSON has them escaped.
      element.filter { $0 != 0x0A && $0 != 0x0D }.withUnsafeBytes { batch.append($0) }
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
}
