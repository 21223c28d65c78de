internal import Synchronization

/// Figures as they change over a demonstration, from its beginning on.
final class TimeSeries: Sendable {
  private struct State {
    var seconds: [Double] = []
    var values: [[Double?]]
  }

  private let names: [String]
  private let began = ContinuousClock.now
  private let state: Mutex<State>

  init(_ names: [String]) {
    self.names = names
    state = Mutex(State(values: names.map { _ in [] }))
  }

  /// Seconds since the beginning.
  var elapsed: Double { (ContinuousClock.now - began).seconds }

  /// Takes the figures of this moment, in the order of the names; nil for one that isn't known.
  func add(_ values: [Double?]) { add(values, at: elapsed) }

  /// Takes the figures of a moment.
  func add(_ values: [Double?], at seconds: Double) {
    precondition(values.count == names.count, "a sample has one value a name")
    state.withLock { state in
      state.seconds.append(seconds)
      for (index, value) in values.enumerated() { state.values[index].append(value) }
    }
  }

  /// How fast a figure changed over the last second or so.
  func rate(of name: String) -> Double {
    guard let column = names.firstIndex(of: name) else { preconditionFailure("no figure '\(name)'") }
    return state.withLock { state in
      guard let last = state.seconds.last, let start = state.seconds.lastIndex(where: { $0 <= last - 1 }) ?? state.seconds.indices.first,
        state.seconds[start] < last, let from = state.values[column][start], let to = state.values[column].last ?? nil
      else { return 0 }
      return (to - from) / (last - state.seconds[start])
    }
  }

  /// `seconds` and each name, each with as many values.
  var json: JSONValue {
    state.withLock { state in
      .object(
        [("seconds", .array(state.seconds.map { .decimal($0) }))]
          + zip(names, state.values).map { name, values in (name, .array(values.map(Self.number))) })
    }
  }

  private static func number(_ value: Double?) -> JSONValue {
    guard let value else { return .null }
    return value.rounded() == value && abs(value) < 1e15 ? .integer(Int64(value)) : .decimal(value)
  }
}
