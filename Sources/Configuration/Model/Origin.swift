/// Scheme, host and port of an HTTP server (RFC 9110 section 4.3.1).
public struct Origin: Sendable, Hashable {
  /// The scheme of a URL.
  public enum Scheme: String, Sendable {
    /// Plain HTTP.
    case http
    /// HTTP over TLS.
    case https

    /// The port of a URL that names none.
    public var defaultPort: UInt16 { self == .https ? 443 : 80 }
  }

  /// Plain or TLS.
  public var scheme: Scheme
  /// A host name in lower case without a dot at its end, or an IP address in canonical form; IPv6 without brackets.
  public var host: String
  /// The port.
  public var port: UInt16

  /// An origin of these parts; the scheme's own port unless `port` names another.
  public init(scheme: Scheme, host: String, port: UInt16? = nil) {
    self.scheme = scheme
    self.host = host
    self.port = port ?? scheme.defaultPort
  }

  /// Whether it is this machine: 127.0.0.0/8, ::1 or localhost.
  public var isLoopback: Bool { HostName(host)?.isLoopback ?? false }

  /// Host and port as in a Host field: the scheme's own port is left out, IPv6 is in brackets.
  public var authority: String { bracketed(host) + (port == scheme.defaultPort ? "" : ":\(port)") }
}

extension Origin: CustomStringConvertible {
  /// The URL without a path: `https://orders.example.com`, `http://[::1]:8080`.
  public var description: String { "\(scheme.rawValue)://\(authority)" }
}
