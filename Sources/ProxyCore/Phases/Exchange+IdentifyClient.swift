internal import Addresses
internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Upstream

extension Exchange {
  /// Finds out whether this client may use this listener at all, whether it speaks for itself, and whether it is this very
  /// proxy.
  func identifyClient() throws(ExchangeError) {
    guard connection.isAdmitted else {
      throw .denied(.listenerClient(address: clientAddress, listener: "\(connection.listener.address)"))
    }
    if head.contains(.via), hasBeenHere { throw .denied(.loop) }
    if connection.listener.browserRequests == .refuse { try refuseBrowserRequest() }
  }

  /// Whether this process is among those that the request has passed through.
  private var hasBeenHere: Bool {
    guard let input = connection.input else { return false }
    let bytes = input.readableBytes
    for line in head.fields where line.known == .via {
      if worker.viaName.occurs(in: bytes.extracting(line.value.range)) { return true }
    }
    return false
  }

  /// Which client it counts for, where clients share something: its caller, wherever that calls from, or else its address.
  var clientKey: ClientKey {
    if let caller { return ClientKey(caller: caller) }
    // Others have no requests, but in tests.
    guard case .counted(let address) = connection.standing else { return .anyone }
    return address.key
  }

  /// The client's address without its port, for messages.
  var clientAddress: String { connection.address?.text ?? connection.peer }
}
