/// To which protocols the connections of a route may change, when a request asks for that (Upgrade) and the upstream agrees.
public enum UpgradeRules: Sendable, Equatable {
  /// To none: requests go on without the question.
  case off
  /// To all but HTTP and TLS, which the proxy speaks with each side for itself.
  case any
  /// To these, in small letters; one without a version stands for every version.
  case listed([String])

  /// Whether that may be offered: a name, or a name and a version.
  public func allows(_ name: String) -> Bool {
    switch self {
    case .off: return false
    case .any: return true
    case .listed(let names):
      let name = name.lowercased()
      return names.contains { $0 == name || (!$0.contains("/") && name.hasPrefix($0 + "/")) }
    }
  }
}
