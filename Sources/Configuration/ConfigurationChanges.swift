internal import Secrets

/// The text of a configuration, kept to find later what has changed. It may contain secrets, so it is stored like one.
public struct ConfigurationText: Sendable {
  private let text: Secret

  init(_ bytes: [UInt8]) { text = Secret(bytes.span) }

  /// The settings that `other` changes, in the order of its paths: `limits.head: 16KB → 32KB`. Secrets are not shown.
  public func changes(to other: ConfigurationText) -> [String] {
    let (old, new) = (written, other.written)
    var changes: [String] = []
    for path in Set(old.keys).union(new.keys).sorted() {
      switch (old[path], new[path]) {
      case (let before?, let after?) where before.text == after.text: continue
      // A new section is reported once, not setting by setting.
      case (nil, _) where Self.hasParent(path, in: changes, ": added"): continue
      case (_, nil) where Self.hasParent(path, in: changes, ": removed"): continue
      case (let before, let after): changes.append("\(path): \(Self.change(before, after))")
      }
    }
    return changes
  }

  private static func hasParent(_ path: String, in changes: [String], _ ending: String) -> Bool {
    guard let last = changes.last, last.hasSuffix(ending) else { return false }
    return path.hasPrefix(last.dropLast(ending.count) + ".")
  }

  private static func change(_ before: Written?, _ after: Written?) -> String {
    let old = before?.shown
    let new = after?.shown
    switch (old, new) {
    case (nil, nil): return before == nil ? "added" : after == nil ? "removed" : "changed"
    case (let old?, let new?): return "\(old) → \(new)"
    case (nil, let new?): return before == nil ? "default → \(new)" : "changed"
    case (let old?, nil): return after == nil ? "\(old) → default" : "changed"
    }
  }

  /// The text at a path: a value, or the beginning of a named entry.
  private struct Written {
    let text: String
    /// Nil for a section, and for a secret.
    let shown: String?
  }

  private static let longestShown = 200

  /// All settings by their paths; items of a list with names by those names.
  private var written: [String: Written] {
    let bytes = text.withBytes { bytes in bytes.indices.map { bytes[$0] } }
    let findings = Findings(file: "", environment: [:], runsPrograms: false)
    var written: [String: Written] = [:]
    if let root = TreeBuilder.tree(bytes, findings: findings) { Self.collect(root, "", &written) }
    return written
  }

  // Sections with entries named by the user: a new entry is reported as a whole.
  private static let named: Set = ["credentials", "callers"]

  /// Whether `text` has a variable with a secret's name and a default: `${DB_PASSWORD:-hunter2}`.
  private static func hasSecretVariable(_ text: String) -> Bool {
    text.utf8.contains(UInt8(ascii: "$")) && SecretVariables.isNameOfSecret(text)
  }

  private static func collect(
    _ node: Node, _ path: String, isSecret: Bool = false, isEntry: Bool = false, _ written: inout [String: Written]
  ) {
    switch node.content {
    case .scalar(let text, _):
      let isLong = text.utf8.count > longestShown
      let mayBeSecret = isSecret || SecretVariables.setting(namedIn: text) != nil || hasSecretVariable(text)
      let shown = mayBeSecret ? nil : isLong ? "a long text" : text
      written[path] = Written(text: text, shown: shown)
    case .mapping(let entries):
      if isEntry { written[path] = Written(text: "", shown: nil) }
      for entry in entries {
        collect(
          entry.value, path.isEmpty ? entry.key : "\(path).\(entry.key)",
          isSecret: isSecret || entry.key == "parameters" || SecretVariables.isSecret(entry.key, below: path),
          isEntry: named.contains(path),
          &written)
      }
    case .sequence(let items):
      let values = items.compactMap(\.scalar)
      if values.count == items.count {
        let text = "[\(values.joined(separator: ", "))]"
        written[path] = Written(
          text: text, shown: isSecret ? nil : text.utf8.count > longestShown ? "a long list" : text)
        return
      }
      for (index, item) in items.enumerated() {
        let itemPath = item.name.map { "\(path).\($0)" } ?? "\(path)[\(index)]"
        collect(item, itemPath, isSecret: isSecret, isEntry: true, &written)
      }
    case .refused: return
    }
  }
}

extension Node {
  fileprivate var scalar: String? {
    if case .scalar(let text, _) = content { text } else { nil }
  }

  /// The value of `name` in a mapping.
  fileprivate var name: String? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == "name" }?.value.scalar
  }
}
