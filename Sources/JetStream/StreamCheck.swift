/// What a look at a cluster found, without anything being made or changed there.
public struct StreamCheck: Sendable, Hashable {
  /// Whether a pipeline would work with it as it is.
  public var isFine: Bool
  /// What was found, a sentence each.
  public var findings: [String]

  /// Connects as a sink would, and compares the stream with its settings. Blocks, at most as long as the settings' timeouts allow.
  public static func sink(_ connection: ConnectionSettings, _ settings: StreamSettings) -> StreamCheck {
    look(connection) { api throws(JetStreamFailure) in
      guard let facts = try api.stream(settings.name) else {
        return StreamCheck(
          isFine: true,
          findings: [
            "the stream '\(settings.name)' isn't there; it is made when the pipeline runs, for '\(settings.wildcard)' with replicas \(settings.replicas)"
          ])
      }
      let differences = settings.differences(from: facts)
      if !differences.isEmpty { return StreamCheck(isFine: false, findings: differences.map { "the stream '\(settings.name)': \($0)" }) }
      let end: String
      switch try api.lastMessage(of: settings.subject, in: settings.name) {
      case .none: end = "'\(settings.subject)' has no message"
      case .range(let range, let sequence):
        end = "'\(settings.subject)' has queue \(range.queue) up to offset \(range.next) (sequence \(sequence))"
      case .foreign(let sequence):
        return StreamCheck(
          isFine: false,
          findings: [
            "'\(settings.subject)' has a message that isn't Sluice's (sequence \(sequence)); delete it (nats stream rmm \(settings.name) \(sequence)), or give the sink another 'subject'"
          ])
      }
      return StreamCheck(isFine: true, findings: ["the stream '\(settings.name)' is as configured; \(end)"])
    }
  }

  /// Connects as a source would, and looks for the stream. Blocks, too.
  public static func source(_ connection: ConnectionSettings, stream: String) -> StreamCheck {
    look(connection) { api throws(JetStreamFailure) in
      guard let facts = try api.stream(stream) else {
        return StreamCheck(isFine: false, findings: ["the stream '\(stream)' isn't there; a source waits until a sink has made it"])
      }
      if facts.retention != "limits" {
        return StreamCheck(
          isFine: false,
          findings: [
            "the stream '\(stream)': its retention is '\(facts.retention)' and must be 'limits', or messages go when one reader has had them"
          ])
      }
      return StreamCheck(
        isFine: true,
        findings: [
          "the stream '\(stream)' is there: subjects \(facts.subjects.joined(separator: ", ")), replicas \(facts.replicas), last sequence \(facts.lastSequence)"
        ])
    }
  }

  private static func look(
    _ connection: ConnectionSettings, _ body: (JetStreamAPI) throws(JetStreamFailure) -> StreamCheck
  ) -> StreamCheck {
    do throws(JetStreamFailure) {
      return try body(JetStreamAPI(connection: try NATSConnection.connect(connection, name: "sluice check")))
    } catch {
      return StreamCheck(isFine: false, findings: [error.description])
    }
  }
}
