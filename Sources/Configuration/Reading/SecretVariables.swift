/// Finds the environment variables that hold secrets, so that no message shows them wherever else they are used.
enum SecretVariables {
  private static let settings: Set = ["client_secret", "client_secret_previous", "headers", "parent_proxy"]

  /// The names of the variables that a setting which holds a secret refers to anywhere in `node`.
  static func names(in node: Node) -> Set<String> {
    switch node.content {
    case .mapping(let entries):
      return entries.reduce(into: []) { names, entry in
        names.formUnion(settings.contains(entry.key) ? mentioned(in: entry.value) : Self.names(in: entry.value))
      }
    case .sequence(let items):
      return items.reduce(into: []) { $0.formUnion(names(in: $1)) }
    case .scalar, .refused:
      return []
    }
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
