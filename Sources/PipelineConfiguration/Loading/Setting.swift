/// A node of a pipeline file, with its place; scalars are still as written.
struct Setting {
  enum Content {
    /// `isPlain` tells an unquoted scalar: an empty one is no value.
    case scalar(String, isPlain: Bool)
    case mapping([Entry])
    case sequence([Setting])
    /// What it is was refused, and said: there is nothing more to say about it.
    case refused
  }

  /// A key with its value.
  struct Entry {
    var key: String
    var keyPlace: Place
    var value: Setting
  }

  var content: Content
  var place: Place

  /// Whether nothing was written after the key.
  var isNothing: Bool {
    if case .scalar("", isPlain: true) = content { return true }
    return false
  }

  /// For `got …`.
  var kindWords: String {
    switch content {
    case .scalar(let text, _): isNothing ? "nothing" : text.quoted
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .refused: "something else"
    }
  }
}
