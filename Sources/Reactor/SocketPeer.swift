/// Who is at the other end of an accepted connection, as the kernel says.
public enum SocketPeer: Sendable, Hashable {
  /// An IP address and port, as `host:port`.
  case address(String)
  /// A process of this user, by a Unix socket.
  case user(UInt32)
}

extension SocketPeer: CustomStringConvertible {
  /// `192.0.2.1:50000`, or `unix:uid=1000`.
  public var description: String {
    switch self {
    case .address(let text): text
    case .user(let id): "unix:uid=\(id)"
    }
  }
}
