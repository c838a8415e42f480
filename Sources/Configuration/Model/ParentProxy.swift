public import Secrets

/// An HTTP proxy that connections are made through (CONNECT).
public struct ParentProxy: Sendable, Hashable {
  /// A name, or an IP address; IPv6 without brackets.
  public var host: String
  /// The port.
  public var port: UInt16
  /// User and password with a colon between; nil where the proxy asks for none.
  public var credentials: Secret?

  /// The proxy of these parts; nothing is checked.
  public init(host: String, port: UInt16, credentials: Secret? = nil) {
    self.host = host
    self.port = port
    self.credentials = credentials
  }
}

extension ParentProxy: CustomStringConvertible {
  /// Host and port: `proxy.example:3128`.
  public var description: String { "\(bracketed(host)):\(port)" }
}
