internal import CLinux

/// Addresses of sockets as text.
public enum SocketAddress {
  /// The address of one end of the socket `descriptor` as `host:port`, `[host]:port` for IPv6.
  public static func text(of descriptor: Int32, peer: Bool) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLINUX_ADDRESS_TEXT)) { text in
      unsafe text.initialize(repeating: 0)
      guard unsafe clinux_socket_address(descriptor, peer ? 1 : 0, text.baseAddress) >= 0 else { return "unknown" }
      return unsafe String(cString: text.baseAddress!)
    }
  }
}
