internal import Addresses
internal import Configuration
internal import Reactor

extension ProxyProtocolSenders {
  /// Whether a connection of `peer` begins with a header.
  func includes(_ peer: SocketPeer) -> Bool {
    switch self {
    case .nobody: return false
    case .everybody: return true
    case .networks(let networks):
      guard case .address(let endpoint) = peer, let address = IPAddress(ofEndpoint: endpoint) else { return false }
      return networks.contains { $0.contains(address) }
    }
  }
}
