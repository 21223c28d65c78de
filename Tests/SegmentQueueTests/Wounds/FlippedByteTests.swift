import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Every byte of a small queue is wrong once. What was acknowledged comes out, or is told as a gap; nothing else does.
@Suite(.timeLimit(.minutes(10))) struct FlippedByteTests {
  /// The files of a queue.
  enum Part: CaseIterable { case oldest, sealed, active, cursor, identity, lock }

  private func path(_ part: Part, _ queue: WoundedQueue) -> FilePath {
    switch part {
    case .oldest: queue.segment(0)
    case .sealed: queue.segment(20)
    case .active: queue.segment(40)
    case .cursor: queue.cursor
    case .identity: queue.identity
    case .lock: queue.lock
    }
  }

  @Test(arguments: Part.allCases) func `a flipped byte costs one block at most, and is told exactly`(part: Part) async throws {
    let whole = try await WoundedQueue.make()
    let count = whole.bytes(path(part, whole)).count
    var positions = Array(0..<count)
    if part == .cursor {
      // The rest of a slot is never looked at.
      positions.removeAll { $0 % CursorRecord.slotByteCount > 160 && $0 % 1024 != 1 }
    }
    var flips = 0
    for position in positions {
      for mask: UInt8 in part == .identity ? [0x01, 0x5A] : [position % 2 == 0 ? 0x01 : 0x5A] {
        let queue = whole.copy()
        queue.flip(path(part, queue), at: position, mask)
        let place = "byte \(position) of \(part), mask \(mask)"
        flips += 1
        let found: WoundedQueue.Found
        do { found = try await queue.find() } catch let error as QueueError where part == .identity && error.code == .newerFormat {
          // A digit of the format: refused, and nothing was changed.
          #expect(queue.names == whole.names, "\(place)")
          continue
        } catch {
          Issue.record("\(place): \(error)")
          continue
        }
        check(found, part, place)
        if position % 8 == 0 || part == .identity {
          let again = try await queue.find()
          #expect(again == found, "\(place): a second opening says something else")
        }
        #expect(Set(whole.names.map { $0.prefix(20) }).isSubset(of: queue.names.map { $0.prefix(20) }), "\(place): a segment is gone")
      }
    }
    #expect(flips >= 32)
  }

  private func check(_ found: WoundedQueue.Found, _ part: Part, _ place: String) {
    // The lines that are there are those that were written, in order, and only a whole block's are missing.
    let missing = stride(from: 0, to: 60, by: 10).filter { !found.lines.contains(numbered($0..<60)[0]) }
    let expected = stride(from: 0, to: 60, by: 10).filter { !missing.contains($0) }.flatMap { numbered($0..<$0 + 10) }
    #expect(found.lines == expected, "\(place): wrong, doubled or torn lines")
    let isData = part == .oldest || part == .sealed || part == .active
    #expect(missing.count <= (isData ? 1 : 0), "\(place): the blocks \(missing) are missing")
    #expect(found.lost == UInt64(missing.count * 10), "\(place): \(found.gaps) for the blocks \(missing)")
    // The very last block's checkpoint goes with its lines: then the source gives them again.
    #expect(found.checkpoint == (missing == [50] ? 50 : 60), "\(place): the checkpoint says \(found.checkpoint)")
    let fromFive = Array(found.entries.drop { $0 != .line(numbered(5..<6)[0]) })
    let fromTen = Array(found.entries.drop { $0 != .line(numbered(9..<10)[0]) }.dropFirst())
    switch part {
    case .cursor: #expect(found.archive == fromFive || found.archive == fromTen, "\(place): archive goes on elsewhere")
    default: if missing != [0] { #expect(found.archive == fromTen, "\(place): archive goes on elsewhere") }
    }
  }
}
