extension ListenAddress {
  /// Reads `listen` and `admin`.
  static func read(_ top: Section, callers: CallersTable) -> (listen: [ListenerSettings], admin: ListenAddress?) {
    var claims: [ListenAddress: String] = [:]
    let listen = top["listen"].map { readListen($0, callers, &claims) } ?? [ListenerSettings(address: .defaultListen)]
    if listen.map(\.address) == [.defaultListen] { claims[.defaultListen] = "listen" }
    guard let setting = top["admin"] else {
      if let path = claims[.defaultAdmin], let clash = top["listen"] {
        clash.findings.problem(
          clash.mark, about: path, "is \(ListenAddress.defaultAdmin), where admin is unless it is set to another or off"
        )
      }
      return (listen, .defaultAdmin)
    }
    guard let admin = setting.value(.listenAddressOrOff) else { return (listen, nil) }
    admin?.claim(setting, &claims)
    return (listen, admin)
  }

  private static func readListen(
    _ setting: Setting, _ callers: CallersTable, _ claims: inout [ListenAddress: String]
  ) -> [ListenerSettings] {
    if case .mapping = setting.node.content {
      return [ListenerSettings.read(setting, callers, &claims)].compactMap(\.self)
    }
    guard let items = setting.items(Format<ListenAddress>.listenAddress.expected) else { return [] }
    return items.compactMap { ListenerSettings.read($0, callers, &claims) }
  }

  /// Notes a problem if the address is in `claims` already. Port 0 is a different port each time.
  func claim(_ setting: Setting, _ claims: inout [ListenAddress: String]) {
    guard port != 0 else { return }
    if let other = claims[self] {
      setting.complain("is \(self), which is already the address of \(other)")
    } else {
      claims[self] = setting.path
    }
  }
}
