/// A host, and possibly a port and the beginning of a path, that a route takes.
public struct Match: Sendable, Hashable {
  /// A host name in lower case without a dot at its end, or an IP address in canonical form; IPv6 without brackets.
  public var host: String
  /// The port; nil when the match names none.
  public var port: UInt16?
  /// What the path begins with, as written; "" takes every path.
  public var path: String

  /// A match of these parts; nothing is checked.
  public init(host: String, port: UInt16? = nil, path: String = "") {
    self.host = host
    self.port = port
    self.path = path
  }
}

extension Match: CustomStringConvertible {
  /// As written in proxy.conf: `acme.kinde.com/api/` or `[::1]:8443`.
  public var description: String { "\(bracketed(host))\(port.map { ":\($0)" } ?? "")\(path)" }
}
