/// Where the proxy itself answers token requests, with a placeholder.
public enum LocalTokenEndpoint: Sendable, Hashable {
  /// A path on the proxy, for clients that use the proxy as a base URL.
  case path(String)
  /// A path on another host, for clients that use the proxy as a forward proxy.
  case host(Match)
}

extension LocalTokenEndpoint: CustomStringConvertible {
  /// As written in proxy.conf: `/orders/oauth2/token` or `acme.kinde.com/oauth2/token`.
  public var description: String {
    switch self {
    case .path(let path): path
    case .host(let match): match.description
    }
  }
}

extension RouteReader {
  /// Reads `token_endpoint` of a route. If it is not valid, there is a problem and no configuration.
  mutating func readTokenEndpoints(
    _ section: Section, hasToken: Bool, _ tokenField: TokenField, isIntercepted: Bool
  ) -> [LocalTokenEndpoint] {
    guard let setting = section[RouteSettings.tokenEndpoint] else { return [] }
    guard hasToken else {
      setting.complain("is for a token, but with credentials: none there is no token")
      return []
    }
    guard tokenField.isAuthorization else {
      setting.complain(
        "issues placeholders, but with the token in \(tokenField.header) the application's Authorization goes on as it is"
      )
      return []
    }
    let format = Format<LocalTokenEndpoint>.localTokenEndpoint
    return (setting.items(format.expected) ?? []).compactMap { item in
      guard let endpoint = item.value(format), claim(endpoint, item) else { return nil }
      // If CONNECT leads to it, a blind tunnel must not have the same port.
      if isIntercepted, case .host(let match) = endpoint, !claimPort(of: match, isTunnel: false, item) { return nil }
      return endpoint
    }
  }

  private mutating func claim(_ endpoint: LocalTokenEndpoint, _ setting: Setting) -> Bool {
    guard case .host(var match) = endpoint, match.port == nil else {
      return claim(endpoint, in: \.tokenEndpoints, shown: "\(endpoint)", setting)
    }
    // Without a port it stands for the default ports of http and https.
    for port in [80, 443] as [UInt16] {
      match.port = port
      guard claim(.host(match), in: \.tokenEndpoints, shown: "\(endpoint)", setting) else { return false }
    }
    return true
  }
}

extension Format<LocalTokenEndpoint> {
  /// `/path`, or `host[:port]/path`.
  static var localTokenEndpoint: Self {
    Format(
      "a path such as /orders/oauth2/token, or host and path such as acme.kinde.com/oauth2/token",
      .text("path, or host and path", pattern: Patterns.localTokenEndpoint)
    ) {
      text throws(Refusal) in
      guard !text.includes("://") else {
        throw Refusal("leave out the scheme; the URL of the authorization server belongs to credentials")
      }
      guard !text.hasPrefix("/") else {
        try PathSyntax.checkPrefix(text)
        return .path(text)
      }
      let match = try Format<Match>.match.read(text)
      guard !match.isWildcard else { throw Refusal("a wildcard is only allowed in match; write the host out") }
      guard !match.path.isEmpty else { throw Refusal("the path is missing") }
      return .host(match)
    }
  }
}
