/// Finds the environment variables that hold secrets, so that no message shows them wherever else they are used.
enum SecretVariables {
  private static let settings: Set = ["client_secret", "client_secret_previous", "headers", "parent_proxy", "password"]
  // Settings with names that mean something else elsewhere, by the section they are in.
  private static let nested: [String: Set<String>] = ["token_store": ["key"]]

  /// The names of the variables that a setting which holds a secret refers to anywhere in `node`.
  static func names(in node: Node) -> Set<String> {
    switch node.content {
    case .mapping(let entries):
      return entries.reduce(into: []) { names, entry in
        names.formUnion(settings.contains(entry.key) ? mentioned(in: entry.value) : Self.names(in: entry.value))
        if let inside = nested[entry.key], case .mapping(let entries) = entry.value.content {
          for entry in entries where inside.contains(entry.key) { names.formUnion(mentioned(in: entry.value)) }
        }
      }
    case .sequence(let items):
      return items.reduce(into: []) { $0.formUnion(names(in: $1)) }
    case .scalar, .refused:
      return []
    }
  }

  /// The setting for a secret that stands in `text`, if there is one: a quote or an indentation that is wrong makes the
  /// lines that follow part of a text, which no message may show then.
  static func setting(namedIn text: String) -> String? {
    settings.first { text.contains("\($0):") }
  }

  /// The names in every text of `node`: in `${NAME}`, and as `env` has it.
  private static func mentioned(in node: Node) -> Set<String> {
    switch node.content {
    case .mapping(let entries):
      return entries.reduce(into: []) { $0.formUnion(mentioned(in: $1.value)) }
    case .sequence(let items):
      return items.reduce(into: []) { $0.formUnion(mentioned(in: $1)) }
    case .scalar(let text, _):
      // Text that is wrong is reported when the setting is read.
      return Set((try? Substitution(text))?.names ?? []).union(Substitution.isName(text) ? [text] : [])
    case .refused:
      return []
    }
  }
}
