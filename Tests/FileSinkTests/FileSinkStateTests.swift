import PipelineCore
import Testing

@testable import FileSink

@Suite struct `The file sink's state` {
  let location = OutputLocation(base: "/var/log/ärchive", relative: "2026/app-09.0001.log.gz")

  func state(_ withheld: WithheldLineFeed) -> FileSinkState {
    FileSinkState(
      name: .init(location: location, time: -5, number: 1), file: .init(device: .max, inode: 77, length: 1 << 40, withheld: withheld),
      abandoned: [.init(location: location, inode: 9, length: 10), .init(location: location, inode: 10, length: 0)])
  }

  @Test(arguments: [WithheldLineFeed.none, .unlessContinued(by: 7), .always])
  func `What was encoded is decoded`(_ withheld: WithheldLineFeed) throws {
    #expect(try FileSinkState(decoding: state(withheld).encode().bytes) == state(withheld))
    let named = FileSinkState(name: .init(location: location, time: 3, number: 4))
    #expect(try FileSinkState(decoding: named.encode().bytes) == named)
    #expect(try FileSinkState(decoding: FileSinkState().encode().bytes) == FileSinkState())
  }

  @Test func `Every shortened or lengthened state is malformed, and a newer version is told apart`() throws {
    let bytes = state(.always).encode().bytes
    for count in 0..<bytes.count {
      #expect(throws: FileSinkState.DecodingError.malformed) { try FileSinkState(decoding: Array(bytes.prefix(count))) }
    }
    #expect(throws: FileSinkState.DecodingError.malformed) { try FileSinkState(decoding: bytes + [0]) }
    #expect(throws: FileSinkState.DecodingError.newerVersion) { try FileSinkState(decoding: [2] + bytes.dropFirst()) }
  }

  @Test func `With the longest paths it fits into 4 KiB: the oldest abandoned files are left out`() throws {
    let long = OutputLocation(base: "/" + String(repeating: "b", count: 500), relative: String(repeating: "r", count: 534))
    var state = FileSinkState(name: .init(location: long, time: 0, number: 0), file: .init(device: 0, inode: 0, length: 0, withheld: .none))
    state.abandoned = (0..<300).map { .init(location: long, inode: $0, length: 0) }
    let bytes = state.encode().bytes
    #expect(bytes.count <= SinkState.maximumByteCount)
    let kept = try FileSinkState(decoding: bytes).abandoned.map(\.inode)
    #expect(kept.count >= 2)
    #expect(kept == (0..<300).suffix(kept.count).map { UInt64($0) })
  }
}
