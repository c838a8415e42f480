extension RouteReader {
  /// Which requests a route takes.
  struct Matching {
    var matches: [Match] = []
    /// Where each of them is written, and the mount as a match without a host.
    var claims: [(Match, Setting)] = []
    var mount: String?
  }

  /// Reads `match` and `mount`; nil after a problem was noted.
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
