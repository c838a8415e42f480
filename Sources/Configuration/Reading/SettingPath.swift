internal import Encodings

/// How settings are named in messages: `routes[1].timeouts.connect`.
enum SettingPath {
  /// The setting `key` of the mapping `parent`.
  static func join(_ parent: String, _ key: String) -> String {
    let name = isWord(key) ? key : displayed(key)
    return parent.isEmpty ? name : "\(parent).\(name)"
  }

  private static func isWord(_ key: String) -> Bool {
    !key.isEmpty && key.utf8.count <= 64
      && key.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
  }
}
