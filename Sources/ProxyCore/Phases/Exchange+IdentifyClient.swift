internal import Addresses
internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Routing
internal import Upstream

extension Exchange {
  /// Finds out whether this client may use this listener at all, whether it speaks for itself, and whether it is this very
  /// proxy.
  func identifyClient() throws(ExchangeError) {
    guard connection.isAdmitted else {
      throw .listenerClient(address: clientAddress, listener: "\(connection.listener.address)")
    }
    if head.contains(.via), hasBeenHere { throw .forwardingLoop }
    switch connection.listener.browserRequests {
    case .refuse: try refuseBrowserRequest()
    case .allow: break
    case nil: if connection.isAtLoopback { try refuseBrowserRequest() }
    }
  }

  /// Whether this process is among those that the request has passed through.
  private var hasBeenHere: Bool {
    guard let input = connection.input else { return false }
    let bytes = input.readableBytes
    for line in head.fields where line.known == .via {
      if viaName.occurs(in: bytes.extracting(line.value.range)) { return true }
    }
    return false
  }

  /// Which client it counts for, where clients share something: its caller, from any address, or else its address.
  var clientKey: ClientKey {
    if let caller = request.caller { return ClientKey(caller: caller) }
    // Others have no requests, but in tests.
    guard case .counted(let address) = connection.standing else { return .anyone }
    return address.key
  }

  /// The client's address without its port, for messages.
  var clientAddress: String { connection.address?.text ?? connection.peer }
}

extension Exchange {
  /// Rejects what a browser sends for a web page of another site. A page can make the browser send requests to any address
  /// that the browser reaches, this machine's own among them, and the listener cannot tell them apart.
  ///
  /// Three signs: the browser says so (Sec-Fetch-Site), the page's origin is another (Origin), or the browser believes
  /// that this is a host of another name, which leads here now (DNS rebinding). A client that is not a browser sends none
  /// of the first two, and a name of ours. The admin listener has the same rule (`WebPageRule`).
  func refuseBrowserRequest() throws(ExchangeError) {
    let input = requestInput
    let bytes = input.readableBytes
    switch head.foreignPageSign(bytes, target: request.target, isSecure: connection.isSecure) {
    case nil: break
    case .site(let value): throw browser("Sec-Fetch-Site: \(beginning(of: value))")
    case .origin(let value): throw browser("Origin: \(beginning(of: value))")
    }
    // In the absolute form, and inside a tunnel, the target chooses a route by its name, which is the operator's, or is our
    // own address.
    guard connection.listener.address.isLocal || connection.isAtLoopback, connection.tunnelTarget == nil,
      request.target?.authority == nil, let host = head.authority
    else { return }
    // The names that the operator wrote in proxy.conf lead here on purpose. They are looked up last: that takes a hash.
    guard host.isThisMachine(bytes) || isKnown(host, bytes) else {
      throw .foreignHost(Self.shortened(text(of: host.host)), listener: "\(connection.listener.address)")
    }
  }

  private func isKnown(_ host: Authority, _ bytes: Span<UInt8>) -> Bool {
    host.kind == .name && generation.table.names(host: bytes.extracting(host.host.range))
  }

  private func browser(_ sign: String) -> ExchangeError {
    .browserRequest(sign: Self.shortened(sign), listener: "\(connection.listener.address)")
  }

  /// As much of a field's value as a message shows, and a little more: a client can send as much as a head has room for.
  private func beginning(of value: ByteRange) -> String {
    text(of: ByteRange(start: value.start, end: min(value.end, value.start + 250)))
  }

  static func shortened(_ text: String) -> String {
    text.utf8.count > 200 ? "\(text.prefix(200))…" : text
  }
}
