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
    // Worked out once: it is asked for with every request.
    isLoopback = HostName(host)?.isLoopback ?? false
  }

  /// Where health and metrics are served when proxy.conf does not say: 127.0.0.1:9901.
  public static let defaultAdmin = TCPAddress(host: "127.0.0.1", port: 9901)

  /// The address in `text`, written as proxy.conf has it; nil where it is none.
  public init?(_ text: String) {
    guard let address = try? Format<TCPAddress>.tcpAddress.read(text) else { return nil }
    self = address
  }

  /// Whether only programs on this machine reach it.
  public let isLoopback: Bool
}

extension TCPAddress: CustomStringConvertible {
  /// As written in proxy.conf: `127.0.0.1:8080` or `[::1]:8080`.
  public var description: String { "\(bracketed(host)):\(port)" }
}
