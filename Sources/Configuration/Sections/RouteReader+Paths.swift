/// A path that a route takes, and where it is written.
struct PathClaim {
  let match: Match
  let setting: Setting
  let route: String
  let rules: RouteRules
  /// Whether proxy.conf says for the route if its upstream ignores the case of paths.
  let saysCase: Bool

  /// Whether a request to some port can match both.
  fileprivate func sharesPort(with other: PathClaim) -> Bool {
    guard let port = match.port ?? other.match.port else { return true }
    return Match.port(match.port, takes: port) && Match.port(other.match.port, takes: port)
  }

  /// The host, without port and path.
  fileprivate var place: Match { Match(host: match.host, isWildcard: match.isWildcard) }
}

extension RouteReader {
  /// Warns about paths that may not protect what their author expects.
  func warnOfPaths() {
    let paths = Dictionary(grouping: pathClaims) { claim in
      Match(host: claim.match.host, path: claim.match.path, isWildcard: claim.match.isWildcard)
    }
    let saidCase = Set(pathClaims.lazy.filter(\.saysCase).map(\.place))
    for claim in pathClaims where claim.match.path.count > 1 {
      // The claims that would take the path if this one did not exist, the longest first.
      let above = Self.beginnings(of: claim.match.path).flatMap { path in
        (paths[Match(host: claim.match.host, path: path, isWildcard: claim.match.isWildcard)] ?? []).filter {
          $0.sharesPort(with: claim)
        }
      }
      warnOfSlash(claim, above)
      if !saidCase.contains(claim.place) { warnOfCase(claim, above) }
    }
  }

  /// The paths of matches that cover `path`, except `path` itself: `/a/b`, `/a/`, `/a`, `/` and "" cover `/a/b/`.
  private static func beginnings(of path: String) -> [String] {
    var beginnings: [String] = []
    var rest = Substring(path)
    while !rest.isEmpty {
      if rest.last == "/" { rest.removeLast() } else { while let last = rest.last, last != "/" { rest.removeLast() } }
      beginnings.append(String(rest))
    }
    return beginnings
  }

  /// A match with a final slash leaves the path without the slash to another route.
  private func warnOfSlash(_ claim: PathClaim, _ above: [PathClaim]) {
    guard claim.match.path.hasSuffix("/"), let other = above.first, other.route != claim.route else { return }
    let bare = String(claim.match.path.dropLast())
    // A match with exactly that path shows that its author has considered it.
    guard other.match.path != bare else { return }
    claim.setting.warn(
      """
      is \(claim.match), and \(bare) without the slash is for the route \(other.route); write \(withoutSlash(claim.match)) \
      to take both
      """)
  }

  /// If rules depend on the path, an upstream that ignores case accepts another spelling, which bypasses the stricter rules.
  private func warnOfCase(_ claim: PathClaim, _ above: [PathClaim]) {
    guard let other = above.first(where: { $0.route != claim.route && $0.rules != claim.rules }) else { return }
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
