public import Addresses

/// What a route serves of the requests that match it; nil for everything.
public struct RouteRules: Sendable, Hashable {
  /// The clients that may use it.
  public var allow: [IPNetwork]?
  /// The callers that may use it: indices into ``ProxyConfiguration/callers``.
  public var callers: [Int]?
  /// The methods that are forwarded, exactly as written.
  public var methods: [String]?
  /// What the paths that are forwarded begin with; each ends at a segment boundary, or with "/".
  public var paths: [String]?

  /// Rules that forbid nothing, unless `allow` names who may.
  public init(allow: [IPNetwork]? = nil) {
    self.allow = allow
  }
}
