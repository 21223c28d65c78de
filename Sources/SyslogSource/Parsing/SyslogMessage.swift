/// What the parser found in a datagram: places of its parts, nothing copied.
struct SyslogMessage {
  /// Facility times 8 plus severity, 0 to 191; -1 when there was none to read.
  var priority = -1
  var timestamp = SyslogTimestamp()
  var hostname = ByteRange.absent
  var appName = ByteRange.absent
  var procID = ByteRange.absent
  var msgID = ByteRange.absent
  /// The sequence number that Cisco devices send in front of the timestamp; written as RFC 5424's element `meta`, parameter `sequenceId`.
  var sequence = ByteRange.absent
  var message = ByteRange.absent
  /// The parser's ``SyslogParser/entries`` belong to this message.
  var hasStructuredData = false
  var problem: SyslogProblem?

  /// Gives up: the whole text becomes the message. What was read before that place stays, but for half of a structure.
  mutating func fail(_ problem: SyslogProblem, byteCount: Int) {
    self.problem = problem
    message = ByteRange(start: 0, end: byteCount)
    hasStructuredData = false
  }

  /// Keeps PRI alone: another field can't be written.
  mutating func failWhole(_ problem: SyslogProblem, byteCount: Int) {
    let priority = priority
    self = SyslogMessage()
    self.priority = priority
    fail(problem, byteCount: byteCount)
  }
}
