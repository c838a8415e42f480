internal import Addresses
internal import CCurl

/// Lets one transfer connect where it may, and remembers why it did not.
///
/// It is asked for every address just before a connection to it would be made: no name, however it is resolved, gets
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
