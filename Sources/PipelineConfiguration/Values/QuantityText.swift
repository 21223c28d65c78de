/// Quantities as pipeline files write them, for whoever else takes them from people: the HTTP API's parameters, say.
public enum QuantityText {
  /// Bytes of a text such as `64MiB` (binary) or `64MB` (decimal); nil when it is none.
  public static func size(_ text: String) -> Int? { parseSize(text) }

  /// A text such as `50ms`, `30s`, `24h`; nil when it is none, or more than 100 years.
  public static func duration(_ text: String) -> Duration? { parseDuration(text) }

  /// What a consumer may pin: `all`, a size, a share or a duration; nil when it is none of these.
  public static func hold(_ text: String) -> HoldDefinition? { ValueType<HoldDefinition>.hold.parse(text) }

  /// The shortest text that ``hold(_:)`` reads as `hold`.
  public static func text(of hold: HoldDefinition) -> String {
    switch hold {
    case .all: "all"
    case .bytes(let bytes): formatSize(bytes)
    case .share(let percent): "\(percent)%"
    case .duration(let duration): formatDuration(duration)
    }
  }
}
