internal import Addresses
internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Routing
internal import Upstream

extension Exchange {
  /// Checks whether this client may use this listener at all, whether a web page sent the request through a browser,
  /// and whether the request comes from this very proxy.
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

  /// Whether the request has passed through this process before.
  private var hasBeenHere: Bool {
    guard let input = connection.input else { return false }
    let bytes = input.readableBytes
    for line in head.fields where line.known == .via {
      if viaName.occurs(in: bytes.extracting(line.value.range)) { return true }
    }
    return false
  }

  /// The client that it counts for, where clients share something: its caller, from any address, or else its address.
  var clientKey: ClientKey {
    if let caller = request.caller { return ClientKey(caller: caller) }
    // Other connections have requests in tests only.
    guard case .counted(let address) = connection.standing else { return .anyone }
    return address.key
  }

  /// The client's address without its port, for messages.
  var clientAddress: String { connection.address?.text ?? connection.peer }
}

extension Exchange {
  /// Rejects requests that a browser sends for a web page of another site. A page can make the browser send requests to
  /// any address that the browser reaches, including this machine's own, and the listener cannot tell them apart.
  ///
  /// Three signs: the browser says so (Sec-Fetch-Site), the page's origin is another (Origin), or the browser takes
  /// this for a host of another name, which leads here now (DNS rebinding). A client that is not a browser sends
  /// neither of the first two, and uses one of our names. The admin listener has the same rule (`WebPageRule`).
  func refuseBrowserRequest() throws(ExchangeError) {
    let input = requestInput
    let bytes = input.readableBytes
    switch head.foreignPageSign(bytes, target: request.target, isSecure: connection.isSecure) {
    case nil: break
    case .site(let value): throw browser("Sec-Fetch-Site: \(beginning(of: value))")
    case .origin(let value): throw browser("Origin: \(beginning(of: value))")
    }
    // In the absolute form, and inside a tunnel, the target chooses a route by a name that the operator set, or is our
    // own address.
    guard connection.listener.address.isLocal || connection.isAtLoopback, connection.tunnelTarget == nil,
      request.target?.authority == nil, let host = head.authority
    else { return }
    // Names that the operator wrote in proxy.conf lead here on purpose. Checked last, since that takes a hash.
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

  /// The part of a field's value that a message shows, and a little more: the value can be as long as a head.
  private func beginning(of value: ByteRange) -> String {
    text(of: ByteRange(start: value.start, end: min(value.end, value.start + 250)))
  }

  static func shortened(_ text: String) -> String {
    text.utf8.count > 200 ? "\(text.prefix(200))…" : text
  }
}
