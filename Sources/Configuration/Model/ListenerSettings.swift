public import Addresses

/// An address to listen on, and who may use it.
public struct ListenerSettings: Sendable, Hashable {
  /// Where it is.
  public let address: ListenAddress
  /// The clients that are served; nil for everybody who reaches it.
  public var allow: [IPNetwork]?
  /// The callers that are served; nil for everybody, known or not.
  public var callers: CallerRule?
  /// What becomes of requests that a browser sends on behalf of a web page.
  public let browserRequests: BrowserRequests
  /// Who may use it, where it is a Unix socket.
  public var permissions: SocketPermissions
  /// Whose connections begin with a header of the PROXY protocol.
  public var proxyProtocol: ProxyProtocolSenders
  /// TLS, where it is what clients speak.
  public var tls: ListenerTLS?

  private let writtenBrowserRequests: BrowserRequests?

  /// Settings of these parts. Requests of browsers are refused on loopback, unless `browserRequests` says otherwise;
  /// no browser reaches a Unix socket by itself.
  public init(
    address: ListenAddress, allow: [IPNetwork]? = nil, browserRequests: BrowserRequests? = nil,
    permissions: SocketPermissions = SocketPermissions(), proxyProtocol: ProxyProtocolSenders = .nobody,
    tls: ListenerTLS? = nil
  ) {
    self.address = address
    self.allow = allow
    self.browserRequests = browserRequests ?? (address.tcp?.isLoopback == true ? .refuse : .allow)
    self.permissions = permissions
    self.proxyProtocol = proxyProtocol
    self.tls = tls
    writtenBrowserRequests = browserRequests
  }

  /// The same settings for `address`, which turned out to be what systemd passed.
  public func at(_ address: ListenAddress) -> ListenerSettings {
    var settings = ListenerSettings(
      address: address, allow: allow, browserRequests: writtenBrowserRequests, permissions: permissions,
      proxyProtocol: proxyProtocol, tls: tls)
    settings.callers = callers
    return settings
  }

  /// What is said of a listener that anybody may use who reaches its port; nil where that is not so.
  public var warning: String? {
    guard let tcp = address.tcp, !tcp.isLoopback, allow == nil, callers == nil else { return nil }
    return """
      is \(tcp): anybody who reaches this port can use the credentials; \
      allow or callers say who may, and 127.0.0.1 is for this machine only
      """
  }
}
