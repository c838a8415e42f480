/// How a route serves CONNECT.
public enum TunnelMode: String, Sendable, CaseIterable {
  /// Bytes go both ways as they are; nothing is looked at, and nothing is added. Such a route serves nothing else.
  case blind
  /// TLS, or plain HTTP, ends at the proxy, and the requests inside are treated as all others.
  case intercept
}
