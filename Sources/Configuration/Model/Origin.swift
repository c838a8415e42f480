/// Scheme, host and port of an HTTP server (RFC 9110 section 4.3.1).
public struct Origin: Sendable, Hashable {
  /// The scheme of a URL.
  public enum Scheme: String, Sendable {
    /// Plain HTTP.
    case http
    /// HTTP over TLS.
    case https

    /// The port of a URL without a port.
    public var defaultPort: UInt16 { self == .https ? 443 : 80 }
  }

  /// Plain or TLS.
  public var scheme: Scheme
  /// A host name in lower case without a final dot, or an IP address in canonical form; IPv6 without brackets.
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

/// An http or https URL without user information and fragment.
public struct URLParts: Sendable, Hashable {
  /// Scheme, host and port.
  public var origin: Origin
  /// The path, which begins with "/", and the query with its "?", if there is one: the target in a request line.
  public var target: String

  /// A URL of these parts; nothing is checked.
  public init(origin: Origin, target: String) {
    self.origin = origin
    self.target = target
  }
}

extension URLParts: CustomStringConvertible {
  /// The URL, without the port if it is the scheme's own.
  public var description: String { "\(origin)\(target)" }
}

/// An IP address and port to listen on.
public struct TCPAddress: Sendable, Hashable {
  /// An IP address; IPv6 without brackets.
  public let host: String
  /// The port; 0 lets the system choose a free one.
  public var port: UInt16

  /// The address `host`, an IP literal without brackets, and `port`.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
    // Computed once, because every request needs it.
    isLoopback = HostName(host)?.isLoopback ?? false
  }

  /// Where health and metrics are served when proxy.conf does not say: 127.0.0.1:9901.
  public static let defaultAdmin = TCPAddress(host: "127.0.0.1", port: 9901)

  /// Parses `text` in the form of proxy.conf; nil if it is not an address.
  public init?(_ text: String) {
    guard let address = try? Format<TCPAddress>.tcpAddress.read(text) else { return nil }
    self = address
  }

  /// Whether only programs on this machine can reach it.
  public let isLoopback: Bool
}

extension TCPAddress: CustomStringConvertible {
  /// As written in proxy.conf: `127.0.0.1:8080` or `[::1]:8080`.
  public var description: String { "\(bracketed(host)):\(port)" }
}
