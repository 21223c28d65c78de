import Hummingbird
import HummingbirdCore
import PipelineCore
import RecordBlocks
import SegmentQueue

struct IdempotencyKey: Sendable, Hashable { init?(_ text: String, bodyHash: [UInt8]) { nil } }
struct KeyedAppend { var range: Range<RecordBlocks.Offset>; var wasThere: Bool }
extension SegmentQueue { var isFull: Bool { status().isFull } }
extension SourceWriter { func write(_ b: consuming RecordBatch, key: IdempotencyKey) async throws -> KeyedAppend { fatalError() } }
extension QueueError.Code { static var keyConflict: Self { .full } }
extension ServerAddress {
  func serverBuilder(_ core: ServerCore) throws(ListenError) -> HTTPServerBuilder {
    .http1(configuration: .init(additionalChannelHandlers: [core.connections.makeHandler()]))
  }
}
