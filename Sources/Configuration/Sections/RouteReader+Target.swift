internal import Addresses

extension RouteReader {
  /// Where the requests of a route go.
  struct Target {
    /// nil for the host that each request names.
    var origin: Origin?
    var basePath = ""
    /// The setting `forward_to`, if it is written.
    var setting: Setting?
    var allowsPrivate = false
  }

  /// Reads `forward_to`, or derives it from the match; nil after a problem was reported.
  func readTarget(_ section: Section, _ matching: Matching?) -> Target? {
    let example = "https://orders.example.com"
    let (setting, permission) = (section[RouteSettings.forwardTo], section[RouteSettings.allowPrivate])
    if let setting {
      guard let url = setting.value(.baseURL(example)) else { return nil }
      if let complaint = complaint(about: url.origin) {
        setting.complain(complaint)
        return nil
      }
      permission?.complain("\(Self.saysNothing): where forward_to leads was written out")
      let basePath = url.target.hasSuffix("/") ? String(url.target.dropLast()) : url.target
      return Target(origin: url.origin, basePath: basePath, setting: setting)
    }
    guard let matching else { return nil }
    if matching.mount == nil, matching.matches.contains(where: \.isWildcard) {
      return requestedHosts(section, matching, permission)
    }
    let origins = Set(matching.matches.map(\.httpsOrigin))
    let hasWildcard = matching.matches.contains(where: \.isWildcard)
    guard let origin = origins.first, origins.count == 1, !hasWildcard else {
      let isAmbiguous = origins.count > 1 && !hasWildcard
      let reason = isAmbiguous ? "match names several hosts or ports" : "a mount names no host"
      section.missing(RouteSettings.forwardTo, "\(reason); it must be a URL such as \(example)")
      return nil
    }
    if let complaint = complaint(about: origin) {
      section.complain(complaint)
      return nil
    }
    permission?.complain("\(Self.saysNothing): the host was written out")
    return Target(origin: origin)
  }

  /// Each requested host, if there is a wildcard.
  private func requestedHosts(_ section: Section, _ matching: Matching, _ permission: Setting?) -> Target? {
    for match in matching.matches where !match.isWildcard {
      guard let complaint = complaint(about: match.httpsOrigin) else { continue }
      section.complain(complaint)
      return nil
    }
    var target = Target()
    guard let permission else { return target }
    guard let allowsPrivate = permission.value(.truth) else { return nil }
    target.allowsPrivate = allowsPrivate
    return target
  }

  private static var saysNothing: String {
    "has no effect here: it is for wildcards without forward_to"
  }

  /// Why the proxy never connects to this address, if so. Names are checked when they are resolved.
  private func complaint(about origin: Origin) -> String? {
    guard let kind = IPAddress(origin.host)?.kind, kind.isNeverConnectedTo else { return nil }
    return "leads to \(origin.host), which is \(kind.name): the proxy never connects there"
  }
}

extension Match {
  /// The https server of the same name. Port 80 is the default of plain HTTP, so it counts as no port.
  fileprivate var httpsOrigin: Origin {
    Origin(scheme: .https, host: host, port: port == 80 ? nil : port)
  }
}

extension RouteReader {
  /// Which requests a route takes.
  struct Matching {
    var matches: [Match] = []
    /// Where each of them is written, with the mount as a match without a host.
    var claims: [(Match, Setting)] = []
    var mount: String?
  }

  /// Reads `match` and `mount`; nil after a problem was reported.
  mutating func readMatching(_ section: Section) -> Matching? {
    let match = section[RouteSettings.match]
    let mount = section[RouteSettings.mount]
    if match == nil, mount == nil {
      section.complain("needs match (a host, for http_proxy clients) or mount (a path, for base-URL clients)")
      return nil
    }
    var matching = Matching()
    var isRight = true
    if let match { isRight = readMatches(match, &matching) }
    if let mount {
      if let path = mount.value(.mount) {
        matching.mount = path
        matching.claims.append((Match(host: "", path: path), mount))
        if !claim(path, in: \.mounts, shown: path.isEmpty ? "/" : path, mount) { isRight = false }
      } else {
        isRight = false
      }
    }
    return isRight ? matching : nil
  }

  private mutating func readMatches(_ setting: Setting, _ matching: inout Matching) -> Bool {
    let format = Format<Match>.match
    guard let items = setting.items(format.expected) else { return false }
    for item in items {
      guard let match = item.value(format), claim(match, in: \.matches, shown: "\(match)", item),
        claimPort(of: match, isTunnel: false, item)
      else { continue }
      matching.matches.append(match)
      matching.claims.append((match, item))
    }
    return matching.matches.count == items.count
  }
}
