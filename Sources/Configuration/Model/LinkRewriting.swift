/// In whose answers links to the upstream become links to the proxy.
public enum LinkRewriting: String, Sendable, CaseIterable {
  /// Those of clients that were given the proxy as a base URL. To others the upstream has the name that they use.
  case auto
  /// Everybody's.
  case on
  /// Nobody's.
  case off
}
