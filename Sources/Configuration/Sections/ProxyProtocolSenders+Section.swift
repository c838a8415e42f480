internal import Addresses

extension ProxyProtocolSenders {
  /// Reads `proxy_protocol`; nobody after a problem was noted.
  static func read(_ setting: Setting) -> ProxyProtocolSenders {
    if setting.written == "on" { return .everybody }
    return setting.distinct(.network).map(ProxyProtocolSenders.networks) ?? .nobody
  }

  /// Notes what is wrong with it at `address`, where that can be told.
  func complain(_ setting: Setting, at address: ListenAddress) {
    switch (self, address) {
    case (.everybody, .tcp):
      setting.complain(
        "must name the load balancers by their addresses, such as [10.0.0.5]; on is for a Unix socket: whoever may send "
          + "a header can pretend to have any address")
    case (.networks, .unix):
      setting.complain(
        "must be on for a Unix socket, where nobody has an address; mode, owner and group say who connects")
    case (.networks(let networks), _) where networks.contains { $0.prefixLength == 0 }:
      setting.warn("lets every client pretend to have any address; name the load balancers alone")
    default: break
    }
  }
}
