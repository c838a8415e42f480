internal import Addresses

extension ListenerSettings {
  /// Reads one item of `listen`: an address, or a mapping with an address and rules. Nil after a problem was noted.
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
    return item.section { section in
      let setting = section.required("address", Format<ListenAddress>.listenAddress.expected)
      let allow = section["allow"]?.distinct(.network)
      let browserRequests = section.value("browser_requests", Format<BrowserRequests>.choice())
      let rule = section["callers"].flatMap { CallerRule.read($0, callers) }
      let permissions = SocketPermissions.read(section)
      let proxyProtocol = section["proxy_protocol"].map(ProxyProtocolSenders.read) ?? .nobody
      let tls = section["tls"]
      let tlsSettings = tls.flatMap { ListenerTLS.read($0) }
      guard let setting, let address = ListenAddress.read(setting) else { return nil }
      address.claim(setting, &claims)
      address.complainOfRulesForOthers(section, proxyProtocol)
      guard tls == nil || tlsSettings != nil else { return nil }
      var settings = ListenerSettings(
        address: address, allow: allow, browserRequests: browserRequests, permissions: permissions,
        proxyProtocol: proxyProtocol, tls: tlsSettings)
      settings.callers = rule
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
  /// Notes a problem for each rule that means nothing at an address of this kind.
  fileprivate func complainOfRulesForOthers(_ section: Section, _ proxyProtocol: ProxyProtocolSenders) {
    if let setting = section["proxy_protocol"] { proxyProtocol.complain(setting, at: self) }
    if case .unix = self {
      // With a load balancer in front there are addresses.
      guard proxyProtocol == .nobody else { return }
      section["allow"]?.complain(
        "is for addresses, and clients of a Unix socket have none; mode, owner and group say who may use it")
    } else {
      let isPassed = if case .systemd = self { true } else { false }
      for name in SocketPermissions.names {
        section[name]?.complain(
          isPassed
            ? "is for a Unix socket that the proxy makes; SocketMode, SocketUser and SocketGroup of the .socket unit say it"
            : "is for a Unix socket (address: unix:/path)")
      }
    }
  }
}
