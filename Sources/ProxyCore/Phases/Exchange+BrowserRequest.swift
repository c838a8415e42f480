internal import Addresses
internal import Bytes
internal import Configuration
internal import HTTPWire

extension Exchange {
  /// Refuses what a browser sends on behalf of somebody's web page. A page can make the browser send requests to any
  /// address that the browser reaches, this machine's own among them, and the listener cannot tell who asked.
  ///
  /// Three signs: the browser says so (Sec-Fetch-Site), the page's origin is another (Origin), or the browser believes
  /// that this is a host of another name, which leads here now (DNS rebinding). A client that is no browser sends none
  /// of the first two, and a name of ours.
  func refuseBrowserRequest() throws(ExchangeError) {
    guard let input = connection.input else { return }
    let bytes = input.readableBytes
    for line in head.fields {
      switch line.known {
      case .secFetchSite:
        let site = text(of: line.value)
        // "none" is the person, who typed the address.
        guard site == "same-origin" || site == "none" else { throw browser("Sec-Fetch-Site: \(site)") }
      case .origin:
        guard isOwnOrigin(line.value, bytes) else { throw browser("Origin: \(text(of: line.value))") }
      default: continue
      }
    }
    // In the absolute form, and inside a tunnel, the target chooses a route by its name, which is the operator's, or is our
    // own address.
    guard connection.listener.address.isLocal, connection.tunnelTarget == nil, target?.authority == nil,
      let host = head.authority
    else { return }
    guard isOwnHost(host, bytes) else {
      throw .denied(.foreignHost(Self.shortened(text(of: host.host)), listener: "\(connection.listener.address)"))
    }
  }

  private func browser(_ sign: String) -> ExchangeError {
    .denied(.browserRequest(sign: Self.shortened(sign), listener: "\(connection.listener.address)"))
  }

  static func shortened(_ text: String) -> String {
    text.utf8.count > 200 ? "\(text.prefix(200))…" : text
  }

  /// Whether a page of that origin asks the server that it came from (RFC 6454 section 5).
  private func isOwnOrigin(_ value: ByteRange, _ bytes: Span<UInt8>) -> Bool {
    guard let asked = target?.authority ?? head.authority else { return false }
    let isSecure = target?.scheme.map { $0 == .https } ?? connection.isSecure
    let prefix = isSecure ? "https://" : "http://"
    guard text(of: value).lowercased().hasPrefix(prefix) else { return false }
    let rest = ByteRange(Int(value.start) + prefix.utf8.count..<Int(value.end))
    guard let origin = try? RequestTarget.parseAuthority(bytes, rest) else { return false }
    let defaultPort: UInt16 = isSecure ? 443 : 80
    return (origin.port ?? defaultPort) == (asked.port ?? defaultPort)
      && text(of: origin.nameWithoutDot).lowercased() == text(of: asked.nameWithoutDot).lowercased()
  }

  /// Whether a Host that came to a loopback listener is one that nobody else can have made lead here: this machine's own
  /// names and addresses, and the hosts that the operator wrote in proxy.conf.
  private func isOwnHost(_ host: Authority, _ bytes: Span<UInt8>) -> Bool {
    switch host.kind {
    case .ipv4(let address): return IPAddress.v4(address).isLoopback
    case .ipv6(let address): return IPAddress.v6(address).isLoopback
    case .name:
      return worker.table.names(host: bytes.extracting(host.host.range)) || isLocalhost(host)
    }
  }
}
