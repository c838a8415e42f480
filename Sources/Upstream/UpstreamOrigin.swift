/// Where a connection goes (RFC 9110 section 4.3.1): scheme, host and port.
public struct UpstreamOrigin: Hashable, Sendable {
  /// Whether TLS is spoken.
  public let isSecure: Bool
  /// A name, or an IP address without brackets.
  public let host: String
  /// The port.
  public let port: UInt16

  /// The origin of these parts.
  public init(isSecure: Bool, host: String, port: UInt16) {
    self.isSecure = isSecure
    self.host = host
    self.port = port
  }

  var url: String {
    let host = host.contains(":") ? "[\(host)]" : host
    return "\(isSecure ? "https" : "http")://\(host):\(port)/"
  }
}
