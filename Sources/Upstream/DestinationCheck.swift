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

/// Tells the addresses of a host that a connection may be made to, and remembers why not to the others.
struct DestinationFilter {
  let rules: DestinationRules
  let own: OwnListeners
  /// Why there is no connection, where no address was admitted.
  private(set) var refusal: UpstreamError?

  init(_ rules: DestinationRules, own: OwnListeners) {
    self.rules = rules
    self.own = own
  }

  /// Whether a connection may be made to `address`.
  mutating func admits(_ address: IPAddress, _ port: UInt16) -> Bool {
    let kind = address.kind
    guard rules.allows(kind) else {
      refuse(address, kind)
      return false
    }
    guard !own.contains(address, port, isLocal: { address.isOfThisMachine }) else {
      refusal = .ownListener("\(address.text), port \(port)")
      return false
    }
    return true
  }

  private mutating func refuse(_ address: IPAddress, _ kind: IPAddress.Kind) {
    let detail = address.explanation
    guard kind.isNeverConnectedTo else { return refusal = .privateAddress(detail) }
    // Of several addresses the one counts that could be allowed.
    if case .privateAddress? = refusal { return }
    refusal = .prohibited(detail)
  }
}

/// Lets one transfer connect to the one address that was chosen for it, and nowhere else.
///
/// The address was looked at when it was chosen, and libcurl was told to use it. It is called just before the connection is made:
/// whatever libcurl makes of a name, a connection to another address is not made.
final class DestinationCheck {
  private var filter: DestinationFilter
  private let expected: IPAddress
  private var hasOpened = false
  private var refusal: UpstreamError?

  init(_ filter: DestinationFilter, only expected: IPAddress) {
    self.filter = filter
    self.expected = expected
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
    guard filter.admits(address, port) else {
      refusal = filter.refusal
      return CURL_SOCKET_BAD
    }
    guard address == expected else {
      refusal = .prohibited("\(address.text) is not \(expected.text), which was chosen")
      return CURL_SOCKET_BAD
    }
    hasOpened = true
    return unsafe ccurl_open_socket(destination)
  }

  /// Why there was no connection at all, if that was so.
  var reason: UpstreamError? { hasOpened ? nil : refusal }
}

extension IPAddress {
  /// Whether it is an address of this machine.
  var isOfThisMachine: Bool {
    var octets = [UInt8](repeating: 0, count: 16)
    switch self {
    case .v4(let address):
      for index in 0..<4 { octets[index] = UInt8(truncatingIfNeeded: address >> (24 - 8 * UInt32(index))) }
      return unsafe ccurl_is_local(4, octets) != 0
    case .v6(let address):
      for index in 0..<16 { octets[index] = UInt8(truncatingIfNeeded: address >> UInt128(120 - 8 * index)) }
      return unsafe ccurl_is_local(6, octets) != 0
    }
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
