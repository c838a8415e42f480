internal import Addresses
internal import Configuration
internal import HTTPWire

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
    head.fields.contains { $0.known == .via && text(of: $0.value).lowercased().contains(worker.viaName.text) }
  }

  /// The client's address without its port, for messages.
  var clientAddress: String { connection.address?.text ?? connection.peer }
}
