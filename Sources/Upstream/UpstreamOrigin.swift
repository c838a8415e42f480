/// Where a connection goes (RFC 9110 section 4.3.1): scheme, host and port.
public struct UpstreamOrigin: Hashable, Sendable {
  /// Whether TLS is spoken.
  public let isSecure: Bool
  /// A name, or an IP address without brackets.
  public let host: String
  /// The port.
  public let port: UInt16
  /// Which of the addresses that the host resolves to a connection may be made to.
  public let destinations: DestinationRules
  /// How connections to it are made.
  public let options: ConnectionOptions

  /// The origin of these parts.
  public init(
    isSecure: Bool, host: String, port: UInt16, destinations: DestinationRules = DestinationRules(),
    options: ConnectionOptions = ConnectionOptions()
  ) {
    self.isSecure = isSecure
    self.host = host
    self.port = port
    self.destinations = destinations
    self.options = options
  }

  /// The origin as people write it, with its port: `https://api.example:443`.
  public var name: String { "\(isSecure ? "https" : "http")://\(authority)" }

  /// Host and port, always both: `api.example:443`, `[::1]:22`.
  public var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

  var url: String { name + "/" }
}
