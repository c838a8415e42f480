/// Which hosts and ports have routes of requests, and which have tunnels: none may have both, or requests that need a token
/// could pass by without one.
struct ClaimedPorts {
  private struct Host: Hashable {
    var name: String
    var isWildcard: Bool
  }

  private struct Claims {
    var requests: [(port: UInt16?, owner: String)] = []
    var tunnels: [(port: UInt16, owner: String)] = []
  }

  private var hosts: [Host: Claims] = [:]

  /// Notes that the setting `owner` is `match`. Returns the one that is of the other sort and takes the same port, if there
  /// is one; nothing is noted then.
  mutating func claim(_ match: Match, isTunnel: Bool, owner: String) -> String? {
    let host = Host(name: match.host, isWildcard: match.isWildcard)
    var claims = hosts[host] ?? Claims()
    if isTunnel {
      let port = match.tunnelPort
      if let other = claims.requests.first(where: { Match.port($0.port, takes: port) }) { return other.owner }
      claims.tunnels.append((port, owner))
    } else {
      if let other = claims.tunnels.first(where: { Match.port(match.port, takes: $0.port) }) { return other.owner }
      claims.requests.append((match.port, owner))
    }
    hosts[host] = claims
    return nil
  }
}
