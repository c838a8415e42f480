internal import Addresses

extension RouteReader {
  /// Where the requests of a route go.
  struct Target {
    let origin: Origin
    let basePath: String
    /// The setting `forward_to`, when it is there.
    let setting: Setting?
  }

  /// Reads `forward_to`, or takes the place of it from what is matched; nil after a problem was noted.
  func readTarget(_ section: Section, _ matching: Matching?) -> Target? {
    let example = "https://orders.example.com"
    if let setting = section["forward_to"] {
      guard let url = setting.value(.baseURL(example)) else { return nil }
      if let complaint = complaint(about: url.origin) {
        setting.complain(complaint)
        return nil
      }
      let basePath = url.target.hasSuffix("/") ? String(url.target.dropLast()) : url.target
      return Target(origin: url.origin, basePath: basePath, setting: setting)
    }
    guard let matching else { return nil }
    let origins = Set(matching.matches.map(\.httpsOrigin))
    let takesMany = matching.matches.contains(where: \.isWildcard) || origins.count > 1
    guard let origin = origins.first, !takesMany else {
      let reason = takesMany ? "match names several hosts or ports" : "a mount names no host"
      section.missing("forward_to", "\(reason); it must be a URL such as \(example)")
      return nil
    }
    if let complaint = complaint(about: origin) {
      section.complain(complaint)
      return nil
    }
    return Target(origin: origin, basePath: "", setting: nil)
  }

  /// What is wrong with an address that no connection is ever made to. Names are looked at when they are resolved.
  private func complaint(about origin: Origin) -> String? {
    guard let kind = IPAddress(origin.host)?.kind, kind.isNeverConnectedTo else { return nil }
    return "leads to \(origin.host), which is \(kind.name): the proxy never connects there"
  }
}

extension Match {
  /// The server of the same name that speaks TLS. Port 80 is that of plain HTTP, as if none were named.
  fileprivate var httpsOrigin: Origin {
    Origin(scheme: .https, host: host, port: port == 80 ? nil : port)
  }
}
