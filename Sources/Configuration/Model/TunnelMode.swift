/// How a route serves CONNECT.
public enum TunnelMode: String, Sendable, CaseIterable {
  /// Bytes go both ways as they are; nothing is looked at, and nothing is added.
  case blind
}
