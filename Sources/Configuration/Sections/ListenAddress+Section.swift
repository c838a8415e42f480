extension ListenAddress {
  /// Reads `listen` and `admin`.
  static func read(_ top: Section, callers: CallersTable) -> (listen: [ListenerSettings], admin: TCPAddress?) {
    var claims: [ListenAddress: String] = [:]
    let listen = top["listen"].map { readListen($0, callers, &claims) } ?? [ListenerSettings(address: .defaultListen)]
    if listen.map(\.address) == [.defaultListen] { claims[.defaultListen] = "listen" }
    guard let setting = top["admin"] else {
      if let path = claims[.tcp(.defaultAdmin)], let clash = top["listen"] {
        clash.findings.problem(
          clash.mark, about: path, "is \(TCPAddress.defaultAdmin), where admin is unless it is set to another or off")
      }
      return (listen, .defaultAdmin)
    }
    guard let admin = setting.value(.tcpAddressOrOff) else { return (listen, nil) }
    if let admin { ListenAddress.tcp(admin).claim(setting, &claims) }
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

  /// Reads an address; nil after a problem was noted. A path that is not absolute counts from proxy.conf's directory.
  static func read(_ setting: Setting) -> ListenAddress? {
    guard let address = setting.value(Format<ListenAddress>.listenAddress) else { return nil }
    guard case .unix(let written) = address else { return address }
    let path = setting.findings.resolve(path: written)
    guard path.utf8.count <= longestPath else {
      setting.complain(
        """
        is a path of \(path.utf8.count) bytes, and the system has room for \(longestPath) in the name of a socket; \
        choose a shorter one, such as unix:/run/m2m-proxy/m2m-proxy.sock
        """)
      return nil
    }
    return .unix(path: path)
  }

  /// Notes a problem if the address is in `claims` already. Port 0 is a different port each time.
  func claim(_ setting: Setting, _ claims: inout [ListenAddress: String]) {
    guard tcp?.port != 0 else { return }
    if let other = claims[self] {
      setting.complain("is \(self), which is already the address of \(other)")
    } else {
      claims[self] = setting.path
    }
  }
}
