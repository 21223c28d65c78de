internal import PipelineConfiguration

/// Something that pipeline files name by its type.
protocol Component: Sendable {
  var type: String { get }
}

/// Components by type. Two of one type trap at start: that is a mistake in the list.
struct Registry<Element: Component>: Sendable {
  private let byType: [String: Element]

  init(_ elements: [Element]) {
    byType = Dictionary(elements.map { ($0.type, $0) }) { first, _ in preconditionFailure("two components of type '\(first.type)'") }
  }

  /// The types, sorted.
  var types: [String] { byType.keys.sorted() }

  /// The component that a checked definition names; there is one, for the definition knows no other kinds.
  subscript(type: String) -> Element {
    guard let element = byType[type] else { preconditionFailure("no component of type '\(type)' is listed") }
    return element
  }
}

extension SourceDefinition.Kind {
  /// The `type` in a pipeline file.
  var type: String {
    switch self {
    case .file: "file"
    case .syslog: "syslog"
    case .standardInput: "stdin"
    case .jetStream: "jetstream"
    }
  }
}

extension SinkDefinition.Kind {
  /// The `type` in a pipeline file.
  var type: String {
    switch self {
    case .file: "file"
    case .http: "http"
    case .standardOutput: "stdout"
    case .jetStream: "jetstream"
    }
  }
}
