internal import Addresses

/// Where this process itself serves clients: a connection there would be a loop.
public struct OwnListeners: Sendable {
  private var endpoints: [(address: IPAddress, port: UInt16)] = []

  /// None.
  public init() {}

  /// Adds the address that is really bound, as `host:port`.
  public mutating func insert(_ endpoint: String) {
    guard let address = IPAddress(ofEndpoint: endpoint), let colon = endpoint.lastIndex(of: ":"),
      let port = UInt16(endpoint[endpoint.index(after: colon)...])
    else { return }
    endpoints.append((address, port))
  }

  /// Whether a connection to `address` and `port` ends at one of the listeners.
  ///
  /// - Parameter isLocal: whether the address is one of this machine's; asked only where a listener has them all.
  func contains(_ address: IPAddress, _ port: UInt16, isLocal: () -> Bool) -> Bool {
    let address = address.unmapped
    return endpoints.contains { own in
      guard own.port == port else { return false }
      switch (own.address, address) {
      case (.v4(0), .v4), (.v6(0), .v6): return isLocal()
      default: return own.address == address
      }
    }
  }
}
