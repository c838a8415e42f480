public import Addresses

/// A listener: an address, and who may use it.
public struct ListenerSettings: Sendable, Hashable {
  /// Its address.
  public let address: ListenAddress
  /// The clients that are served; nil for all.
  public var allow: [IPNetwork]?
  /// The callers that are served; nil for all clients, known callers or not.
  public var callers: CallerRule?
  /// What happens to requests that a browser sends for a web page; nil rejects them on connections to a loopback address, and
  /// on no others.
  public let browserRequests: BrowserRequests?
  /// Who may use it, if it is a Unix socket.
  public var permissions: SocketPermissions
  /// The senders of PROXY protocol headers.
  public var proxyProtocol: ProxyProtocolSenders
  /// TLS, if clients use it.
  public var tls: ListenerTLS?
  /// What happens to the request of a client that has closed its sending side.
  public var halfClose = HalfClose.abort

  private let writtenBrowserRequests: BrowserRequests?

  /// Settings of these parts. Browsers' requests are rejected on loopback, unless `browserRequests` says otherwise; browsers
  /// cannot reach a Unix socket by themselves.
  public init(
    address: ListenAddress, allow: [IPNetwork]? = nil, browserRequests: BrowserRequests? = nil,
    permissions: SocketPermissions = SocketPermissions(), proxyProtocol: ProxyProtocolSenders = .off,
    tls: ListenerTLS? = nil
  ) {
    self.address = address
    self.allow = allow
    let usual: BrowserRequests? = address.tcp.map { $0.isLoopback ? .refuse : nil } ?? .allow
    self.browserRequests = browserRequests ?? usual
    self.permissions = permissions
    self.proxyProtocol = proxyProtocol
    self.tls = tls
    writtenBrowserRequests = browserRequests
  }

  /// The same settings for `address`, which is what systemd passed.
  public func at(_ address: ListenAddress) -> ListenerSettings {
    var settings = ListenerSettings(
      address: address, allow: allow, browserRequests: writtenBrowserRequests, permissions: permissions,
      proxyProtocol: proxyProtocol, tls: tls)
    settings.callers = callers
    settings.halfClose = halfClose
    return settings
  }

  /// The warning for a listener that every client that reaches its port may use; nil for others.
  public var warning: String? {
    guard let tcp = address.tcp, !tcp.isLoopback, allow == nil, callers == nil else { return nil }
    return """
      is \(tcp): any client that reaches this port can use the credentials; \
      allow or callers say who may, and 127.0.0.1 is for this machine only
      """
  }
}

/// What an item of `listen` may have.
enum ListenerDeclarations {
  static let address = Declared("address", .listenAddress, default: .required, "the address that clients connect to")
  static let allow = SettingDeclaration(
    "allow", .list(Format<IPNetwork>.network.type), default: .described("all clients"),
    "the clients that are served; others get 403, and the connection ends")
  static let callers = SettingDeclaration(
    "callers", .either([.word("required"), .list(Format<String>.name.type)]),
    default: .described("all clients, known or not"),
    "the [callers](#callers) that are served: `required` for any of them; others get 407 or 403")
  static let browserRequests = Declared(
    "browser_requests", Format<BrowserRequests>.choice(),
    default: .described("`refuse` on loopback listeners, and on loopback connections of others; else `allow`"),
    "whether requests that a browser sends for a web page are served; see [browsers](#browsers)")
  static let proxyProtocol = SettingDeclaration(
    "proxy_protocol", .either([.list(Format<IPNetwork>.network.type), .word("on")]),
    "load balancers whose connections begin with a PROXY header; see [load balancers](#load-balancers)")
  static let halfClose = Declared(
    "half_close", Format<HalfClose>.choice(), default: .value("abort"),
    "what happens to a request when its client closes its sending side; see [half_close](#half_close)")
  static let tls = SettingDeclaration(
    "tls", .section(ListenerTLS.group), default: .described("plain HTTP"),
    "clients speak TLS; see [TLS of a listener](#tls-of-a-listener)")

  static let group = SettingGroup(
    "listener", "An address to listen on, and who may use it.",
    [address.declaration, allow, callers, browserRequests.declaration, proxyProtocol, halfClose.declaration, tls]
      + SocketPermissions.declarations)

  /// An item, or a list that may also contain plain addresses.
  static let type = SettingType.list(.either([Format<ListenAddress>.listenAddress.type, .section(group)]))
}

extension ListenerSettings {
  /// Reads an item of `listen`: an address, or a mapping with an address and rules. Nil after a problem was reported.
  static func read(
    _ item: Setting, _ callers: CallersTable, _ claims: inout [ListenAddress: String]
  ) -> ListenerSettings? {
    guard case .mapping = item.node.content else {
      guard let address = ListenAddress.read(item) else { return nil }
      address.claim(item, &claims)
      let settings = ListenerSettings(address: address)
      if let warning = settings.warning { item.warn(warning) }
      settings.warnOfPasswords(item, callers)
      return settings
    }
    typealias Settings = ListenerDeclarations
    return item.section(of: Settings.group) { section in
      let setting = section.requiredSetting(Settings.address)
      let allow = section[Settings.allow]?.distinct(.network)
      let browserRequests = section.value(Settings.browserRequests)
      let rule = section[Settings.callers].flatMap { CallerRule.read($0, callers) }
      let permissions = SocketPermissions.read(section)
      let proxyProtocol = section[Settings.proxyProtocol].map(ProxyProtocolSenders.read) ?? .off
      let halfClose = section.value(Settings.halfClose)
      let tls = section[Settings.tls]
      let tlsSettings = tls.flatMap { ListenerTLS.read($0) }
      guard let setting, let address = ListenAddress.read(setting) else { return nil }
      address.claim(setting, &claims)
      address.complainOfRulesForOthers(section, proxyProtocol)
      guard tls == nil || tlsSettings != nil else { return nil }
      var settings = ListenerSettings(
        address: address, allow: allow, browserRequests: browserRequests, permissions: permissions,
        proxyProtocol: proxyProtocol, tls: tlsSettings)
      settings.callers = rule
      if let halfClose { settings.halfClose = halfClose }
      if let warning = settings.warning { setting.warn(warning) }
      settings.warnOfPasswords(setting, callers)
      return settings
    }
  }

  private func warnOfPasswords(_ setting: Setting, _ callers: CallersTable) {
    guard callers.havePasswords, tls == nil, let tcp = address.tcp, !tcp.isLoopback else { return }
    setting.warn("is \(tcp) without tls: passwords of callers travel there unencrypted")
  }
}

extension ListenAddress {
  /// Reports a problem for each rule that has no meaning for this kind of address.
  fileprivate func complainOfRulesForOthers(_ section: Section, _ proxyProtocol: ProxyProtocolSenders) {
    if let setting = section[ListenerDeclarations.proxyProtocol] { proxyProtocol.complain(setting, at: self) }
    if case .unix = self {
      // Behind a load balancer there are addresses.
      guard proxyProtocol == .off else { return }
      section[ListenerDeclarations.allow]?.complain(
        "is for addresses, and clients of a Unix socket have none; mode, owner and group say who may use it")
    } else {
      let isPassed = if case .systemd = self { true } else { false }
      for declaration in SocketPermissions.declarations {
        section[declaration]?.complain(
          isPassed
            ? "is for a Unix socket that the proxy makes; SocketMode, SocketUser and SocketGroup of the .socket unit say it"
            : "is for a Unix socket (address: unix:/path)")
      }
    }
  }
}

/// What happens to a request when its client closes its sending side, which looks the same as a client that is gone.
public enum HalfClose: String, Sendable, CaseIterable {
  /// It ends: no client will read the response.
  case abort
  /// It is served: the client only means that it sends no more.
  case serve
}

/// The senders of PROXY protocol headers, which name the real client of a connection.
public enum ProxyProtocolSenders: Sendable, Hashable {
  /// No headers.
  case off
  /// Load balancers at these addresses.
  case networks([IPNetwork])
  /// All clients: on a Unix socket, which only a load balancer can use.
  case all
}

extension ProxyProtocolSenders {
  /// Reads `proxy_protocol`; ``off`` after a problem was reported.
  static func read(_ setting: Setting) -> ProxyProtocolSenders {
    if setting.written == "on" { return .all }
    return setting.distinct(.network).map(ProxyProtocolSenders.networks) ?? .off
  }

  /// Reports what is wrong with it at `address`, as far as that can be known.
  func complain(_ setting: Setting, at address: ListenAddress) {
    switch (self, address) {
    case (.all, .tcp):
      setting.complain(
        "must name the load balancers by their addresses, such as [10.0.0.5]; on is for a Unix socket: a client that "
          + "may send a header can claim any address")
    case (.networks, .unix):
      setting.complain(
        "must be on for a Unix socket, where clients have no address; mode, owner and group say who connects")
    case (.networks(let networks), _) where networks.contains { $0.prefixLength == 0 }:
      setting.warn("lets every client claim any address; name only the load balancers")
    default: break
    }
  }
}
