/// What a server's error answer says (problem details, RFC 9457).
public struct Problem: Sendable, Hashable {
  /// The status code.
  public var status: Int
  /// The word for what is wrong, such as `unknown_queue`; nil when what answered isn't Sluice.
  public var code: String?
  /// What happened and what to do, in the server's words.
  public var detail: String?
  /// The oldest offset that can be had: with `data_lost`, `offset_gone` and `stale_epoch`.
  public var oldest: WireOffset?
  /// The consumer's cursor: with `commit_out_of_range`.
  public var cursor: WireOffset?
  /// How far the consumer has been given records: with `commit_out_of_range`.
  public var deliveredEnd: WireOffset?
  /// Records that the consumer has lost: with `data_lost`.
  public var lostRecords: UInt64?
  /// Their bytes of lines.
  public var lostBytes: UInt64?
  /// Why they were lost.
  public var reason: String?
  /// When the first of them was lost, as RFC 3339 has it.
  public var firstTime: String?
  /// When the last of them was lost.
  public var lastTime: String?

  init(status: Int) { self.status = status }
}

extension Problem: Decodable {
  private enum CodingKeys: String, CodingKey {
    case code, detail, oldest, cursor, reason
    case deliveredEnd = "delivered_end"
    case lostRecords = "lost_records"
    case lostBytes = "lost_bytes"
    case firstTime = "first_time"
    case lastTime = "last_time"
  }

  /// Reads an answer's body; the status is the answer's own.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    status = 0
    code = try values.decodeIfPresent(String.self, forKey: .code)
    detail = try values.decodeIfPresent(String.self, forKey: .detail)
    oldest = try values.decodeIfPresent(WireOffset.self, forKey: .oldest)
    cursor = try values.decodeIfPresent(WireOffset.self, forKey: .cursor)
    deliveredEnd = try values.decodeIfPresent(WireOffset.self, forKey: .deliveredEnd)
    lostRecords = try values.decodeIfPresent(UInt64.self, forKey: .lostRecords)
    lostBytes = try values.decodeIfPresent(UInt64.self, forKey: .lostBytes)
    reason = try values.decodeIfPresent(String.self, forKey: .reason)
    firstTime = try values.decodeIfPresent(String.self, forKey: .firstTime)
    lastTime = try values.decodeIfPresent(String.self, forKey: .lastTime)
  }
}
