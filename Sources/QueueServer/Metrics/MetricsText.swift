/// Prometheus' text format (version 0.0.4), one family after the other.
public struct MetricsText: Sendable {
  /// What a family's numbers mean.
  public enum Kind: String, Sendable { case counter, gauge }

  /// One number of a family.
  public struct Sample: Sendable {
    var labels: [(name: String, value: String)]
    var value: Double

    /// A number with its labels, in their order.
    public init(_ value: Double, _ labels: (name: String, value: String)...) {
      self.labels = labels
      self.value = value
    }

    /// A count with its labels.
    public init(_ value: some BinaryInteger, _ labels: (name: String, value: String)...) {
      self.labels = labels
      self.value = Double(value)
    }
  }

  /// The text so far.
  public private(set) var text = ""

  /// No families.
  public init() {}

  /// Adds a family; one without samples is left out.
  public mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      text += name
      if !sample.labels.isEmpty {
        text += "{" + sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
      }
      text += " \(Self.number(sample.value))\n"
    }
  }

  private static func escaped(_ value: String) -> String {
    value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return value == value.rounded() && value.magnitude < 9e15 ? String(Int64(value)) : "\(value)"
  }
}
