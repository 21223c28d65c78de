internal import Foundation
internal import Logging
internal import PipelineCore
internal import RecordBlocks

/// Reads a stream for ``JetStreamSource``: keeps what must outlive a connection.
final class StreamReader {
  /// Messages asked for at once.
  private static let requestCount = 256
  /// Bytes asked for at once, by all patterns together, but two messages of each in any case: what waits in memory.
  private static let requestBytes = 16 << 20
  private static let requestTime = Duration.seconds(10)
  /// The same with `once`, and how often nothing may come although the end isn't reached: then it was deleted meanwhile.
  private static let onceRequestTime = Duration.seconds(2)
  private static let mostEmptyRequests = 3
  /// A consumer that is silent for as long, in spite of its heartbeats, has gone.
  private static let longestSilence = Duration.seconds(4)
  /// Blocks in pieces that are put together at a time; those of other subjects are read again later.
  static let mostAssemblies = 4
  /// More subjects than that have a checkpoint each no more.
  private static let mostSubjects = 65_536
  /// How often a position without records is written.
  private static let markInterval = Duration.seconds(10)

  private struct Subject {
    let stream: UInt32
    var place: SubjectPlace
    var isIntroduced: Bool
  }

  private let configuration: JetStreamSource.Configuration
  private var patterns: [PatternReading] = []
  private var subjects: [String: Subject] = [:]
  private var created = ""
  /// Checkpoints of patterns that the configuration doesn't have any more.
  private var obsolete: [UInt32] = []
  private var lastStream: UInt32 = 0
  private var assemblies: [String: PieceAssembly] = [:]
  /// Subjects whose pieces had no place, with the sequence to read them from.
  private var deferred: [String: UInt64] = [:]
  private var lastRequest: UInt64 = 0
  private var lastMark = ContinuousClock.now
  private var failures = 0
  private var saidLast: [String: ContinuousClock.Instant] = [:]
  private var foreignCount = 0

  /// A reader that goes on behind `checkpoints`.
  init(_ configuration: JetStreamSource.Configuration, _ checkpoints: [StreamCheckpoint]) {
    self.configuration = configuration
    var found: [String: (stream: UInt32, place: PatternPlace)] = [:]
    for checkpoint in checkpoints {
      lastStream = max(lastStream, checkpoint.stream)
      let identity = String(decoding: checkpoint.identity, as: UTF8.self)
      if identity.hasPrefix("subject "), let place = SubjectPlace(checkpoint.value) {
        subjects[String(identity.dropFirst(8))] = Subject(stream: checkpoint.stream, place: place, isIntroduced: true)
      } else if let place = PatternPlace(checkpoint.value) {
        found[identity] = (checkpoint.stream, place)
        if created.isEmpty { created = place.created }
      }
    }
    for text in configuration.subjects {
      let known = found.removeValue(forKey: identity(of: text))
      if known == nil { lastStream += 1 }
      let sequence = known.map { $0.place.created == created ? $0.place.sequence : 0 } ?? 0
      patterns.append(
        PatternReading(
          pattern: SubjectPattern(text), text: text, stream: known?.stream ?? lastStream, sequence: sequence, written: sequence,
          isIntroduced: known != nil))
    }
    obsolete = found.values.map(\.stream)
  }

  /// With the share: another one's subjects were passed over, and must be read from their beginning when they become ours.
  private func identity(of pattern: String) -> String {
    "pattern \(configuration.share.index)/\(configuration.share.count) \(configuration.stream) \(pattern)"
  }

  // MARK: Reading

  /// Connects and reads until something fails, or all is read that there is to read.
  func read(into output: some RecordOutput) async throws {
    let connection = try NATSConnection.connect(configuration.connection, name: "sluice source \(configuration.name)")
    let api = JetStreamAPI(connection: connection)
    try begin(api)
    let inbox = connection.newInbox()
    let messages = try connection.subscribe("\(inbox).*")
    for index in patterns.indices { patterns[index].restart(behind: patterns[index].sequence) }
    while !patterns.allSatisfy(\.hasEnded) {
      for index in patterns.indices where !patterns[index].hasEnded { try ask(index, api, inbox) }
      guard let message = try messages.next() else {
        try await mark(output)
        continue
      }
      if let status = message.status {
        try hear(status, message, api)
      } else {
        let began = ContinuousClock.now
        try await take(message, api, output)
        // While the queue was full nobody listened.
        if ContinuousClock.now - began > Self.longestSilence / 4 { for index in patterns.indices { patterns[index].heard = .now } }
      }
    }
    try await mark(output, now: true)
    for pattern in patterns { if let consumer = pattern.consumer { try? api.deleteConsumer(consumer, of: configuration.stream) } }
  }

  /// Looks at the stream: one that was made anew, or has lost its end, is read from its beginning; offsets tell what is known.
  private func begin(_ api: JetStreamAPI) throws(JetStreamFailure) {
    guard let facts = try api.stream(configuration.stream) else {
      throw .unusable("there is no stream '\(configuration.stream)' yet; it is waited for (a jetstream sink makes it)")
    }
    assemblies.removeAll()
    deferred.removeAll()
    let isSame = created == facts.created && patterns.allSatisfy { $0.sequence <= facts.lastSequence }
    if !isSame && !created.isEmpty {
      configuration.logger.notice(
        "the stream was made anew or has lost its end; it is read from its beginning, and what is known is passed over",
        metadata: metadata(["jetstream.created": "\(facts.created)"]))
    }
    if !isSame {
      for index in patterns.indices { patterns[index].sequence = 0 }
      for subject in subjects.keys { subjects[subject]?.place.sequence = 0 }
    } else {
      // What waited among the pieces is read again.
      for index in patterns.indices { patterns[index].sequence = patterns[index].written }
    }
    created = facts.created
    guard configuration.once else { return }
    // By the leader: the server that a consumer lives on may lag.
    for index in patterns.indices {
      switch try api.lastMessage(of: patterns[index].text, in: configuration.stream) {
      case .none: patterns[index].target = 0
      case .range(_, let sequence), .foreign(let sequence): patterns[index].target = sequence
      }
    }
  }

  /// Keeps a consumer with a request in hand.
  private func ask(_ index: Int, _ api: JetStreamAPI, _ inbox: String) throws(JetStreamFailure) {
    if configuration.once, deferred.isEmpty, patterns[index].sequence >= patterns[index].target {
      patterns[index].hasEnded = true
      return
    }
    if patterns[index].consumer == nil {
      let name = "sluice-\(NATSConnection.randomName())"
      try api.createConsumer(name, on: configuration.stream, filter: patterns[index].text, from: patterns[index].sequence + 1)
      patterns[index].consumer = name
    }
    if let request = patterns[index].request, request.left > 0 {
      guard ContinuousClock.now - patterns[index].heard > Self.longestSilence else { return }
      throw .noAnswer("\(api.connection.server): the consumer of '\(patterns[index].text)' is silent; another one is made")
    }
    lastRequest += 1
    patterns[index].request = (lastRequest, Self.requestCount)
    patterns[index].gotOfRequest = 0
    patterns[index].heard = .now
    try api.pull(
      patterns[index].consumer ?? "", of: configuration.stream, count: Self.requestCount,
      byteCount: max(Self.requestBytes / patterns.count, 2 * api.connection.maxPayload),
      waits: configuration.once ? Self.onceRequestTime : Self.requestTime, reply: "\(inbox).\(lastRequest)")
  }

  /// A server's word about a request.
  private func hear(_ status: Int, _ message: NATSMessage, _ api: JetStreamAPI) throws(JetStreamFailure) {
    let number = message.subject.split(separator: ".").last.flatMap { UInt64($0) }
    guard let index = patterns.firstIndex(where: { $0.request?.number == number }) else { return }
    patterns[index].heard = .now
    switch status {
    case 100: break
    case 404, 408: endRequest(index)
    case 409 where message.statusText.contains("MaxBytes"): endRequest(index)
    default:
      throw .noAnswer("\(api.connection.server): the consumer of '\(patterns[index].text)' has gone (\(status) \(message.statusText))")
    }
  }

  private func endRequest(_ index: Int) {
    patterns[index].request = nil
    guard configuration.once && patterns[index].gotOfRequest == 0 else { return }
    patterns[index].emptyRequests += 1
    if patterns[index].emptyRequests == Self.mostEmptyRequests { patterns[index].hasEnded = true }
  }

  // MARK: Messages

  private func take(_ message: NATSMessage, _ api: JetStreamAPI, _ output: some RecordOutput) async throws {
    guard let place = message.place, let index = patterns.firstIndex(where: { $0.consumer == place.consumer }) else { return }
    failures = 0
    patterns[index].heard = .now
    patterns[index].received += 1
    patterns[index].gotOfRequest += 1
    if let request = patterns[index].request { patterns[index].request?.left = request.left - 1 }
    // What the connection lost between the server and here is asked for again.
    guard place.consumerSequence == patterns[index].received else {
      patterns[index].restart(behind: settled(index))
      return
    }
    try await take(message, sequence: place.sequence, of: index, api, output)
    patterns[index].sequence = max(patterns[index].sequence, place.sequence)
    if assemblies.isEmpty, !deferred.isEmpty {
      for index in patterns.indices where deferred.keys.contains(where: { isOf(index, $0) }) {
        patterns[index].restart(behind: settled(index))
      }
      deferred.removeAll()
    }
  }

  private func take(
    _ message: NATSMessage, sequence: UInt64, of index: Int, _ api: JetStreamAPI, _ output: some RecordOutput
  ) async throws {
    let subject = message.subject
    guard isOf(index, subject), configuration.share.contains(subject), deferred[subject] == nil else { return }
    guard let range = RangeHeader({ message.header($0) }) else { return noteForeign(subject, sequence) }
    var known = try self.subject(subject)
    guard sequence > known.place.sequence else { return }
    let meaning = known.place.meaning(of: range)
    guard case .new(let missing) = meaning else {
      known.place.sequence = sequence
      subjects[subject] = known
      return
    }
    if let missing {
      guard try api.sequence(of: subject, in: configuration.stream, after: known.place.sequence) == sequence else {
        throw JetStreamFailure.noAnswer("messages of '\(subject)' are missing on the way, which the stream has; they are read again")
      }
      let count = missing.upperBound - missing.lowerBound
      known = try await writeGap(
        Gap(reason: .retention, records: UInt64(count), bytes: 0, firstTime: 0, lastTime: 0), upTo: range.first, of: subject, known,
        sequence: known.place.sequence, output)
      say(
        "messages were deleted by the stream's limits before they were read; they are a gap now", .warning,
        ["jetstream.subject": "\(subject)", "records": "\(count)"])
    }
    if let gap = range.gap {
      assemblies[subject] = nil
      let told = gap.withoutFirst(known.place.next > range.first ? known.place.next - range.first : 0)
      _ = try await writeGap(told, upTo: range.next, of: subject, known, sequence: sequence, output)
    } else if range.piece != nil {
      guard let payload = assemble(message, range, sequence, subject) else { return }
      try await write(payload, range, sequence: sequence, of: subject, known, output)
    } else {
      assemblies[subject] = nil
      let payload = message.withPayload { SharedBytes(copying: $0) }
      try await write(payload, range, sequence: sequence, of: subject, known, output)
    }
  }

  /// The block when this was its last piece.
  private func assemble(_ message: NATSMessage, _ range: RangeHeader, _ sequence: UInt64, _ subject: String) -> SharedBytes? {
    if range.piece?.number == 1 {
      assemblies[subject] = nil
      guard assemblies.count < Self.mostAssemblies else {
        deferred[subject] = sequence
        return nil
      }
      assemblies[subject] = message.withPayload { PieceAssembly(range, sequence: sequence, $0) }
      return nil
    }
    guard message.withPayload({ assemblies[subject]?.add(range, $0) }) == true else {
      // Without its beginning nothing can be made of it; the sink sends all of it again.
      assemblies[subject] = nil
      return nil
    }
    guard let assembly = assemblies[subject], assembly.isWhole else { return nil }
    assemblies[subject] = nil
    return assembly.payload
  }

  /// Writes a message's blocks, each with its checkpoints.
  private func write(
    _ payload: SharedBytes, _ range: RangeHeader, sequence: UInt64, of name: String, _ subject: Subject, _ output: some RecordOutput
  ) async throws {
    var subject = subject
    var blocks = ReceivedBlocks(payload, claiming: range)
    while subject.place.next < range.next {
      let lines: ReceivedBlocks.Lines?
      do throws(BlockDamage) {
        lines = try blocks.next(from: subject.place.next)
      } catch {
        say(
          "a message's blocks can't be read; its records are a gap now", .error,
          ["jetstream.subject": "\(name)", "jetstream.sequence": "\(sequence)", "error": "\(error)"])
        lines = nil
      }
      guard let lines, lines.range.lowerBound == subject.place.next else {
        let missing = range.next - subject.place.next
        let gap = Gap(reason: .dropped, records: UInt64(missing), bytes: 0, firstTime: 0, lastTime: 0)
        _ = try await writeGap(gap, upTo: range.next, of: name, subject, sequence: sequence, output)
        return
      }
      subject.place.next = lines.range.upperBound
      if subject.place.next == range.next { subject.place.sequence = sequence }
      let changes = changes(of: name, subject, sequence: sequence)
      try await output.write(RecordBatch(lines), checkpoints: changes)
      subject.isIntroduced = true
      subjects[name] = subject
      noteWritten(changes)
    }
  }

  private func writeGap(
    _ gap: Gap, upTo next: Offset, of name: String, _ subject: Subject, sequence: UInt64, _ output: some RecordOutput
  ) async throws -> Subject {
    var subject = subject
    var gap = gap
    // These two tell of offsets of the queue that they stand in; here they are records that never came.
    if gap.reason == .corruptBlock || gap.reason == .lostTail { gap.reason = .dropped }
    if gap.firstTime == 0 {
      gap.firstTime = Int64(Date().timeIntervalSince1970 * 1e9)
      gap.lastTime = gap.firstTime
    }
    subject.place.next = next
    subject.place.sequence = sequence
    let changes = changes(of: name, subject, sequence: sequence)
    try await output.writeGap(gap, checkpoints: changes)
    subject.isIntroduced = true
    subjects[name] = subject
    noteWritten(changes)
    return subject
  }

  // MARK: Checkpoints

  private func subject(_ name: String) throws(JetStreamFailure) -> Subject {
    if let known = subjects[name] { return known }
    guard subjects.count < Self.mostSubjects else {
      throw .unusable("more than \(Self.mostSubjects) subjects for one source; give several sources a share each")
    }
    lastStream += 1
    let new = Subject(stream: lastStream, place: .new, isIntroduced: false)
    subjects[name] = new
    return new
  }

  private func changes(of name: String, _ subject: Subject, sequence: UInt64) -> [CheckpointChange] {
    var changes = [
      CheckpointChange.set(
        stream: subject.stream, identity: subject.isIntroduced ? nil : Array("subject \(name)".utf8), value: subject.place.value)
    ]
    if let index = patterns.indices.first(where: { isOf($0, name) }) {
      // Not beyond a message of which only some blocks are written.
      let isWhole = subject.place.sequence == sequence
      changes.append(position(index, isWhole ? max(sequence, patterns[index].sequence) : patterns[index].sequence))
    }
    return changes
  }

  private func position(_ index: Int, _ sequence: UInt64) -> CheckpointChange {
    let settled = min(sequence, pendingStart(index).map { $0 - 1 } ?? .max)
    return .set(
      stream: patterns[index].stream, identity: patterns[index].isIntroduced ? nil : Array(identity(of: patterns[index].text).utf8),
      value: PatternPlace(sequence: settled, created: created).value)
  }

  /// The first sequence that must be read again should the process end now.
  private func pendingStart(_ index: Int) -> UInt64? {
    let pieces = assemblies.filter { isOf(index, $0.key) }.map(\.value.firstSequence)
    return (pieces + deferred.filter { isOf(index, $0.key) }.values).min()
  }

  private func settled(_ index: Int) -> UInt64 {
    let start = pendingStart(index)
    for name in Array(assemblies.keys) where isOf(index, name) { assemblies[name] = nil }
    return min(patterns[index].sequence, start.map { $0 - 1 } ?? .max)
  }

  private func noteWritten(_ changes: [CheckpointChange]) {
    lastMark = .now
    for change in changes {
      guard case .set(let stream, _, let value) = change, let index = patterns.firstIndex(where: { $0.stream == stream }),
        let place = PatternPlace(value)
      else { continue }
      patterns[index].isIntroduced = true
      patterns[index].written = place.sequence
    }
  }

  /// Writes how far was read although there was nothing to take.
  private func mark(_ output: some RecordOutput, now: Bool = false) async throws {
    guard now || ContinuousClock.now - lastMark > Self.markInterval else { return }
    lastMark = .now
    var changes = patterns.indices.filter { patterns[$0].sequence > patterns[$0].written }.map { position($0, patterns[$0].sequence) }
    guard !changes.isEmpty else { return }
    changes += obsolete.map { .forget(stream: $0) }
    try await output.write(RecordBatch(), checkpoints: changes)
    obsolete.removeAll()
    noteWritten(changes)
  }

  /// Whether a subject is read by this pattern: the first that takes it.
  private func isOf(_ index: Int, _ subject: String) -> Bool {
    patterns.firstIndex { $0.pattern.matches(subject) } == index
  }

  // MARK: Telling

  /// How long to wait after a failure; throws when the task was cancelled.
  func pause(after failure: JetStreamFailure) throws -> Duration {
    if case .cancelled = failure { throw CancellationError() }
    try Task.checkCancellation()
    failures += 1
    let bound = min(5.0, 0.1 * Double(1 << min(failures - 1, 10)))
    switch failure {
    case .unauthorized, .badFile, .unusable:
      say("the stream can't be read until someone acts; it is tried again", .error, ["error": "\(failure)"])
      return .seconds(Double.random(in: 0.5...1) * max(bound, 1))
    default:
      say("the stream can't be read now; it is tried again", .warning, ["error": "\(failure)"])
      return .seconds(Double.random(in: 0.5...1) * bound)
    }
  }

  private func noteForeign(_ subject: String, _ sequence: UInt64) {
    foreignCount += 1
    say(
      "a message isn't one of a Sluice sink, and is passed over", .warning,
      ["jetstream.subject": "\(subject)", "jetstream.sequence": "\(sequence)", "messages": "\(foreignCount)"])
  }

  /// Logs what may come again and again: each text at most every ten seconds.
  private func say(_ text: Logger.Message, _ level: Logger.Level, _ facts: Logger.Metadata) {
    if let last = saidLast[text.description], ContinuousClock.now - last < .seconds(10) { return }
    saidLast[text.description] = .now
    configuration.logger.log(level: level, text, metadata: metadata(facts))
  }

  private func metadata(_ facts: Logger.Metadata) -> Logger.Metadata {
    facts.merging(["source.name": "\(configuration.name)", "jetstream.stream": "\(configuration.stream)"]) { own, _ in own }
  }
}
