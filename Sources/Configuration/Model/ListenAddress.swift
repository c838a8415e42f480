/// Where clients are served.
public enum ListenAddress: Sendable, Hashable {
  /// An IP address and port.
  case tcp(TCPAddress)
  /// A Unix socket, by its path.
  case unix(path: String)
  /// Sockets that systemd has bound and passes on: those of that name, or all that have no name of their own here.
  case systemd(name: String?)

  /// The IP address `host`, without brackets, and `port`.
  public init(host: String, port: UInt16) {
    self = .tcp(TCPAddress(host: host, port: port))
  }

  /// Where clients are served when proxy.conf does not say: 127.0.0.1:8080.
  public static let defaultListen = ListenAddress(host: "127.0.0.1", port: 8080)

  /// The most bytes of a Unix socket's path: the kernel has room for so many (unix(7)).
  public static let longestPath = 107

  /// Whether it is known that only programs on this machine reach it.
  public var isLocal: Bool {
    switch self {
    case .tcp(let address): address.isLoopback
    case .unix: true
    case .systemd: false
    }
  }

  /// The IP address and port, where that is what it is.
  public var tcp: TCPAddress? {
    if case .tcp(let address) = self { address } else { nil }
  }
}

extension ListenAddress: CustomStringConvertible {
  /// As written in proxy.conf: `127.0.0.1:8080`, `unix:/run/m2m-proxy/m2m-proxy.sock`, `systemd:web`.
  public var description: String {
    switch self {
    case .tcp(let address): "\(address)"
    case .unix(let path): "unix:\(path)"
    case .systemd(let name): name.map { "systemd:\($0)" } ?? "systemd"
    }
  }
}
