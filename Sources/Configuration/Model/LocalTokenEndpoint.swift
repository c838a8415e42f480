/// Where the proxy itself answers token requests, with a placeholder.
public enum LocalTokenEndpoint: Sendable, Hashable {
  /// A path on the proxy, for clients that are given it as a base URL.
  case path(String)
  /// A path on another host, for clients that use the proxy as a proxy.
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
