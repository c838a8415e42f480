internal import Addresses
internal import Configuration

extension Exchange {
  /// Finds out whether this client may use this listener at all, and whether it speaks for itself.
  func identifyClient() throws(ExchangeError) {
    guard connection.isAdmitted else {
      throw .denied(.listenerClient(address: clientAddress, listener: "\(connection.listener.address)"))
    }
    if connection.listener.browserRequests == .refuse { try refuseBrowserRequest() }
  }

  /// The client's address without its port, for messages.
  var clientAddress: String { connection.address?.text ?? connection.peer }
}
