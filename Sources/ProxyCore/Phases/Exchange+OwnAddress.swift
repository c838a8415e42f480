internal import Addresses
internal import Bytes
internal import HTTPWire
internal import Reactor

extension Exchange {
  /// Whether the target names the very listener that the request came to. Some clients write all of a base URL into the
  /// target, and a server has to take that (RFC 9112 section 3.2.2): it says no more than the path alone.
  ///
  /// The address counts that the connection was made to, so this holds for a listener on all addresses too.
  func isForThisListener(_ target: RequestTarget) -> Bool {
    let scheme = connection.certificate == nil ? RequestTarget.Scheme.http : .https
    guard target.scheme == scheme, let authority = target.authority else { return false }
    // A Unix socket has no name that could stand in a URL: clients write the one that always means this machine.
    if connection.peerCredentials.uid != nil { return authority.port == nil && isLocalhost(authority) }
    let endpoint = connection.passedDestination ?? connection.stream.localAddress
    guard let local = IPAddress(ofEndpoint: endpoint)?.unmapped,
      endpoint.hasSuffix(":\(authority.port ?? scheme.defaultPort)")
    else { return false }
    switch authority.kind {
    case .ipv4(let address): return IPAddress.v4(address) == local
    case .ipv6(let address): return IPAddress.v6(address).unmapped == local
    case .name: return local.isLoopback && isLocalhost(authority)
    }
  }

  /// Whether a name is one of those that always mean this machine (RFC 6761 section 6.3).
  func isLocalhost(_ authority: Authority) -> Bool {
    guard let input = connection.input else { return false }
    return authority.isLocalhost(input.readableBytes)
  }
}
