public import Addresses
internal import CCurl

/// Which addresses a connection may be made to, whatever names lead there.
public struct DestinationRules: Hashable, Sendable {
  /// Whether addresses of private networks, of this machine, and others that are not of the internet are allowed, as
  /// they do for a host that the operator wrote out.
  public var allowsPrivate: Bool

  /// Rules for a host that the operator wrote out, unless told otherwise.
  public init(allowsPrivate: Bool = true) {
    self.allowsPrivate = allowsPrivate
  }

  /// Whether a connection may be made to addresses of `kind`.
  public func allows(_ kind: IPAddress.Kind) -> Bool {
    switch kind.access {
    case .open: true
    case .restricted: allowsPrivate
    case .never: false
    }
  }
}

/// Lets one transfer connect where it may, and remembers why it did not.
///
/// It is called for every address just before the connection is made: no name, however it is resolved, gets
/// past it.
final class DestinationCheck {
  private let rules: DestinationRules
  private let own: OwnListeners
  private var hasOpened = false
  private var refusal: UpstreamError?

  init(_ rules: DestinationRules, own: OwnListeners) {
    self.rules = rules
    self.own = own
  }

  /// The socket for a connection to `destination`, not connected yet; CURL_SOCKET_BAD where there must be none.
  func open(_ destination: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
    var octets: [UInt8] = Array(repeating: 0, count: 16)
    var port: UInt16 = 0
    let address: IPAddress
    switch unsafe ccurl_destination(destination, &octets, &port) {
    case 4: address = .v4(octets.prefix(4).reduce(0) { $0 << 8 | UInt32($1) })
    case 6: address = .v6(octets.reduce(0) { $0 << 8 | UInt128($1) })
    default:
      refusal = .prohibited("an address that is no IP address")
      return CURL_SOCKET_BAD
    }
    let kind = address.kind
    guard rules.allows(kind) else {
      refuse(address, kind)
      return CURL_SOCKET_BAD
    }
    guard !own.contains(address, port, isLocal: { unsafe ccurl_is_local(destination) != 0 }) else {
      refusal = .ownListener("\(address.text), port \(port)")
      return CURL_SOCKET_BAD
    }
    hasOpened = true
    return unsafe ccurl_open_socket(destination)
  }

  private func refuse(_ address: IPAddress, _ kind: IPAddress.Kind) {
    let detail = address.explanation
    guard kind.isNeverConnectedTo else { return refusal = .privateAddress(detail) }
    // Of several addresses the one counts that could be allowed.
    if case .privateAddress? = refusal { return }
    refusal = .prohibited(detail)
  }

  /// The error of the transfer: that of libcurl, unless the check is why there was no connection at all.
  func explain(_ error: UpstreamError) -> UpstreamError {
    guard !hasOpened, let refusal else { return error }
    return refusal
  }
}

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
  /// - Parameter isLocal: whether the address is one of this machine's; called only where a listener has them all.
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
