public import Addresses
internal import CCurl

/// Which addresses connections may be made to, whatever names resolve to them.
public struct DestinationRules: Hashable, Sendable {
  /// Whether addresses of private networks, of this machine, and others that are not on the internet are allowed, as
  /// they are for a host that the operator wrote out.
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

/// Decides which addresses of a host a connection may be made to, and remembers why not to the others.
struct DestinationFilter {
  let rules: DestinationRules
  let own: OwnListeners
  /// Why there is no connection if no address was admitted.
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
    // If one of several addresses could be allowed by a setting, report that one.
    if case .privateAddress? = refusal { return }
    refusal = .prohibited(detail)
  }
}

/// Lets one transfer connect to the one address that was chosen for it, and nowhere else.
///
/// The address was checked when it was chosen, and libcurl was told to use it. libcurl calls this just before it
/// connects: whatever it makes of a name, it cannot connect to another address.
final class DestinationCheck {
  private var filter: DestinationFilter
  private let expected: IPAddress
  private var hasOpened = false
  private var refusal: UpstreamError?

  init(_ filter: DestinationFilter, only expected: IPAddress) {
    self.filter = filter
    self.expected = expected
  }

  /// Returns the socket for a connection to `destination`, not connected yet; CURL_SOCKET_BAD if no connection is
  /// allowed.
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

  /// Why no connection was made at all; nil if one was.
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

/// Where this process itself serves clients: a connection to these would be a loop.
public struct OwnListeners: Sendable {
  private var endpoints: [(address: IPAddress, port: UInt16)] = []

  /// None.
  public init() {}

  /// Adds an address that is actually bound, as `host:port`.
  public mutating func insert(_ endpoint: String) {
    guard let address = IPAddress(ofEndpoint: endpoint), let colon = endpoint.lastIndex(of: ":"),
      let port = UInt16(endpoint[endpoint.index(after: colon)...])
    else { return }
    endpoints.append((address, port))
  }

  /// Whether a connection to `address` and `port` ends at one of the listeners.
  ///
  /// - Parameter isLocal: whether the address is one of this machine's; called only if a listener is bound to all of
  ///   them.
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
