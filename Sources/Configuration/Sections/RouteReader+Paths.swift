/// What one route takes by path, and where that is written.
struct PathClaim {
  let match: Match
  let setting: Setting
  let route: String
  let rules: RouteRules
  /// Whether proxy.conf says for the route if its upstream ignores the case of paths.
  let saysCase: Bool

  /// Whether requests to some port can be for either.
  fileprivate func sharesPort(with other: PathClaim) -> Bool {
    guard let port = match.port ?? other.match.port else { return true }
    return Match.port(match.port, takes: port) && Match.port(other.match.port, takes: port)
  }

  /// Whether `path` is at or below the path of this one.
  fileprivate func covers(_ path: String) -> Bool {
    let own = match.path
    return own.isEmpty || path == own || path.hasPrefix(own.hasSuffix("/") ? own : own + "/")
  }
}

extension RouteReader {
  /// Warns of paths that do not protect what their author may believe they do.
  func warnOfPaths() {
    let hosts = Dictionary(grouping: pathClaims) { Match(host: $0.match.host, isWildcard: $0.match.isWildcard) }
    for claim in pathClaims where claim.match.path.count > 1 {
      let all = (hosts[Match(host: claim.match.host, isWildcard: claim.match.isWildcard)] ?? []).filter {
        $0.sharesPort(with: claim)
      }
      warnOfSlash(claim, all)
      warnOfCase(claim, all.filter { $0.route != claim.route })
    }
  }

  /// A match with a slash at its end leaves the path without the slash to another route.
  private func warnOfSlash(_ claim: PathClaim, _ all: [PathClaim]) {
    guard claim.match.path.hasSuffix("/") else { return }
    let bare = String(claim.match.path.dropLast())
    let covering = all.filter { $0.covers(bare) }
    // A match with exactly that path shows that its author has thought of it.
    guard let other = covering.max(by: { $0.match.path.count < $1.match.path.count }), other.match.path != bare,
      other.route != claim.route
    else { return }
    claim.setting.warn(
      """
      is \(claim.match), and \(bare) without the slash is for the route \(other.route); write \(withoutSlash(claim.match)) \
      to take both
      """)
  }

  /// Where rules differ by path, an upstream that ignores case lets another spelling past the stricter ones.
  private func warnOfCase(_ claim: PathClaim, _ others: [PathClaim]) {
    guard !claim.saysCase, !others.contains(where: \.saysCase),
      let other = others.first(where: { $0.covers(claim.match.path) && $0.rules != claim.rules })
    else { return }
    claim.setting.warn(
      """
      is \(claim.match), whose rules are not those of the route \(other.route), and the same path in other case is for the \
      latter; write paths_ignore_case: true if the upstream ignores case, as Express, ASP.NET Core and IIS do, or else false
      """)
  }

  private func withoutSlash(_ match: Match) -> Match {
    Match(host: match.host, port: match.port, path: String(match.path.dropLast()), isWildcard: match.isWildcard)
  }
}
