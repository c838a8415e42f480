extension ListenAddress {
  /// Reads `listen` and `admin`.
  static func read(_ top: Section) -> (listen: [ListenAddress], admin: ListenAddress?) {
    var claims: [ListenAddress: String] = [:]
    let listen = top["listen"].map { readListen($0, &claims) } ?? [.defaultListen]
    if listen == [.defaultListen] { claims[.defaultListen] = "listen" }
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

  private static func readListen(_ setting: Setting, _ claims: inout [ListenAddress: String]) -> [ListenAddress] {
    let format = Format<ListenAddress>.listenAddress
    guard let items = setting.items(format.expected) else { return [] }
    var listen: [ListenAddress] = []
    for item in items {
      guard let address = item.value(format) else { continue }
      address.claim(item, &claims)
      listen.append(address)
      if !address.isLoopback {
        item.warn(
          "is \(address): anybody who reaches this port can use the credentials; 127.0.0.1 is for this machine only")
      }
    }
    return listen
  }

  /// Notes a problem if the address is in `claims` already. Port 0 is a different port each time.
  private func claim(_ setting: Setting, _ claims: inout [ListenAddress: String]) {
    guard port != 0 else { return }
    if let other = claims[self] {
      setting.complain("is \(self), which is already the address of \(other)")
    } else {
      claims[self] = setting.path
    }
  }
}
