internal import Bytes
internal import Configuration
internal import HTTPWire

extension Exchange {
  /// Rejects what a browser sends for a web page of another site. A page can make the browser send requests to any address
  /// that the browser reaches, this machine's own among them, and the listener cannot tell who asked.
  ///
  /// Three signs: the browser says so (Sec-Fetch-Site), the page's origin is another (Origin), or the browser believes
  /// that this is a host of another name, which leads here now (DNS rebinding). A client that is not a browser sends none
  /// of the first two, and a name of ours. The admin listener has the same rule (`WebPageRule`).
  func refuseBrowserRequest() throws(ExchangeError) {
    guard let input = connection.input else { return }
    let bytes = input.readableBytes
    switch head.foreignPageSign(bytes, target: target, isSecure: connection.isSecure) {
    case nil: break
    case .site(let value): throw browser("Sec-Fetch-Site: \(beginning(of: value))")
    case .origin(let value): throw browser("Origin: \(beginning(of: value))")
    }
    // In the absolute form, and inside a tunnel, the target chooses a route by its name, which is the operator's, or is our
    // own address.
    guard connection.listener.address.isLocal, connection.tunnelTarget == nil, target?.authority == nil,
      let host = head.authority
    else { return }
    // The names that the operator wrote in proxy.conf lead here on purpose.
    let isKnown = host.kind == .name && worker.table.names(host: bytes.extracting(host.host.range))
    guard isKnown || host.isThisMachine(bytes) else {
      throw .denied(.foreignHost(Self.shortened(text(of: host.host)), listener: "\(connection.listener.address)"))
    }
  }

  private func browser(_ sign: String) -> ExchangeError {
    .denied(.browserRequest(sign: Self.shortened(sign), listener: "\(connection.listener.address)"))
  }

  /// As much of a field's value as a message shows, and a little more: a client can send as much as a head has room for.
  private func beginning(of value: ByteRange) -> String {
    text(of: ByteRange(start: value.start, end: min(value.end, value.start + 250)))
  }

  static func shortened(_ text: String) -> String {
    text.utf8.count > 200 ? "\(text.prefix(200))…" : text
  }
}
