/// Who may use a Unix socket: whoever may write to its file.
public struct SocketPermissions: Sendable, Hashable {
  /// The permission bits of the file.
  public var mode: UInt32
  /// The user that it belongs to; nil for the proxy's own.
  public var owner: UInt32?
  /// The group that it belongs to; nil for the one that new files get.
  public var group: UInt32?

  /// Permissions of these parts; without any, the proxy's own user alone may use the socket.
  public init(mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil) {
    self.mode = mode
    self.owner = owner
    self.group = group
  }
}
