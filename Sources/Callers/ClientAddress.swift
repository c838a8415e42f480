internal import Addresses
internal import Glibc
public import Reactor

/// What counts as one client: an IPv4 address; the first 64 bits of an IPv6 address, since a machine usually owns all addresses
/// with the same prefix; or a user, on a Unix socket.
public struct ClientAddress: Hashable, Sendable {
  /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
  public let family: Int32
  /// The IPv4 address, the first half of the IPv6 address, or the number of the user.
  public let network: UInt64

  /// The client at the other end of a connection.
  public init(_ peer: SocketPeer) {
    switch peer {
    case .address(let endpoint): self.init(endpoint)
    case .user(let id): self.init(user: id)
    }
  }

  private init(user: UInt32) {
    family = AF_UNIX
    network = UInt64(user)
  }

  /// The client at `peer`, an address with a port as the listener writes it. An IPv4-mapped IPv6 address is the IPv4 address.
  /// Text that is not an address (the peer was gone already) is one client called 0.0.0.0.
  public init(_ peer: String) {
    let host = peer[..<(peer.lastIndex(of: ":") ?? peer.endIndex)]
    // An interface scope is not part of the address.
    let address = host.hasPrefix("[") ? host.dropFirst().prefix { $0 != "]" && $0 != "%" } : host
    switch IPAddress(address)?.unmapped {
    case .v4(let number):
      family = AF_INET
      network = UInt64(number)
    case .v6(let number):
      family = AF_INET6
      network = UInt64(truncatingIfNeeded: number >> 64)
    case nil:
      family = AF_INET
      network = 0
    }
  }

  /// The client for which wrong passwords are counted. All loopback addresses count as one: a process on this machine can use
  /// all sixteen million addresses of 127.0.0.0/8.
  var asGuesser: ClientAddress {
    // Only the first half of an IPv6 address is kept; that of ::1 is zero.
    let isLoopback = family == AF_INET && network >> 24 == 127 || family == AF_INET6 && network == 0
    return isLoopback ? ClientAddress("127.0.0.1:0") : self
  }
}
