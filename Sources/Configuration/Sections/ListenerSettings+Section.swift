internal import Addresses

extension ListenerSettings {
  /// Reads one item of `listen`: an address, or a mapping with an address and rules. Nil after a problem was noted.
  static func read(
    _ item: Setting, _ callers: CallersTable, _ claims: inout [ListenAddress: String]
  ) -> ListenerSettings? {
    let format = Format<ListenAddress>.listenAddress
    guard case .mapping = item.node.content else {
      guard let address = item.value(format) else { return nil }
      address.claim(item, &claims)
      let settings = ListenerSettings(address: address)
      settings.warnIfOpen(item)
      return settings
    }
    return item.section { section in
      let setting = section.required("address", format.expected)
      let allow = section["allow"]?.distinct(.network)
      let browserRequests = section.value("browser_requests", Format<BrowserRequests>.choice())
      let rule = section["callers"].flatMap { CallerRule.read($0, callers) }
      guard let setting, let address = setting.value(format) else { return nil }
      address.claim(setting, &claims)
      var settings = ListenerSettings(address: address, allow: allow, browserRequests: browserRequests)
      settings.callers = rule
      settings.warnIfOpen(setting)
      return settings
    }
  }

  private func warnIfOpen(_ setting: Setting) {
    guard !address.isLoopback, allow == nil, callers == nil else { return }
    setting.warn(
      """
      is \(address): anybody who reaches this port can use the credentials; \
      allow says who may, and 127.0.0.1 is for this machine only
      """)
  }
}
