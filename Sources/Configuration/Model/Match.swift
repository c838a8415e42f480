/// A host or the hosts below a domain, and possibly a port and the beginning of a path, that a route takes.
public struct Match: Sendable, Hashable {
  /// A host name in lower case without a dot at its end, or an IP address in canonical form; IPv6 without brackets.
  /// Of a wildcard, the domain behind `*.`.
  public var host: String
  /// Whether it takes every host that has one label or more in front of ``host``, instead of that one.
  public var isWildcard: Bool
  /// The port; nil when the match names none.
  public var port: UInt16?
  /// What the path begins with, as written; "" takes every path.
  public var path: String

  /// A match of these parts; nothing is checked.
  public init(host: String, port: UInt16? = nil, path: String = "", isWildcard: Bool = false) {
    self.host = host
    self.isWildcard = isWildcard
    self.port = port
    self.path = path
  }
}

extension Match {
  /// The port to which a match of a tunnel lets CONNECT lead: 443 where it names none.
  public var tunnelPort: UInt16 { port ?? 443 }

  /// Whether a match with `port` takes requests to the port `asked`; one without takes those that http and https have by
  /// themselves.
  public static func port(_ port: UInt16?, takes asked: UInt16) -> Bool {
    port.map { $0 == asked } ?? (asked == 80 || asked == 443)
  }
}

extension Match: CustomStringConvertible {
  /// As written in proxy.conf: `acme.kinde.com/api/`, `[::1]:8443` or `*.acme.com`.
  public var description: String {
    "\(isWildcard ? "*." : "")\(bracketed(host))\(port.map { ":\($0)" } ?? "")\(path)"
  }
}
