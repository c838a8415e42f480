public import Addresses
public import Configuration
internal import Encodings

/// What a route serves of the requests that match it, as requests meet it.
public final class AccessRules: Sendable {
  private let clients: [IPNetwork]?
  private let methods: [[UInt8]]?
  private let paths: [PathPrefix]?
  private let pathTrees: PathTrees?
  private let isChosenByPath: Bool
  /// The methods that are served, as Allow lists them; "" where no rule names any.
  public let allowedMethods: String
  /// The beginnings of paths that are served, for a message.
  public let allowedPaths: String

  /// The rules of one route of proxy.conf.
  ///
  /// - Parameter ignoresPathCase: whether the upstream ignores the case of paths.
  /// - Parameter isChosenByPath: whether another path would lead to another route or to none, or lies outside of what the
  ///   route may forward.
  public init(_ rules: RouteRules, ignoresPathCase: Bool = false, isChosenByPath: Bool = false) {
    clients = rules.allow
    self.isChosenByPath = isChosenByPath
    pathTrees = rules.paths.map { paths in
      PathTrees(paths.map { (PathPrefix($0), 1) }, ignoresCase: ignoresPathCase)
    }
    methods = rules.methods?.map { Array($0.utf8) }
    paths = rules.paths?.map { PathPrefix($0) }
    allowedMethods = rules.methods?.joined(separator: ", ") ?? ""
    allowedPaths = rules.paths?.joined(separator: ", ") ?? ""
  }

  /// Whether a client at `address` may use the route.
  public func admits(_ address: IPAddress?) -> Bool { clients.admits(address) }

  /// Whether the method is served; methods are compared byte by byte (RFC 9110 section 9.1).
  public func allows(method: Span<UInt8>) -> Bool {
    guard let methods else { return true }
    return methods.contains { known in
      guard known.count == method.count else { return false }
      return known.indices.allSatisfy { known[$0] == method[$0] }
    }
  }

  /// Whether the path of a request decides what may become of it.
  public var dependsOnPath: Bool { paths != nil || isChosenByPath }
  /// Whether a field of the request could turn it into what is not served: there is a rule for the method or the path.
  public var canBeOverridden: Bool { methods != nil || dependsOnPath }
  /// Whether only one field that replaces or names `part` may come: which of several is obeyed depends on the framework.
  public func allowsOne(_ part: OverrideField) -> Bool {
    switch part {
    case .method: methods != nil
    // All of them name this request's own path.
    case .original: false
    case .path, .forwardedPath, .prefix, .destination, .source, .accountSource: dependsOnPath
    }
  }

  /// Whether a field that replaces `part` of the request may have this value. Case does not count in the name of a
  /// method there; a path cannot be compared with what a framework makes of it, and is refused where there is a rule.
  public func allows(_ part: OverrideField, value: Span<UInt8>) -> Bool {
    switch part {
    case .path: return !dependsOnPath
    // What these name is compared with the routes instead.
    case .original, .forwardedPath, .prefix, .destination, .source, .accountSource: return true
    case .method:
      guard let methods else { return true }
      return methods.contains { known in
        guard known.count == value.count else { return false }
        return known.indices.allSatisfy { known[$0].asciiLowercased == value[$0].asciiLowercased }
      }
    }
  }

  /// What the rule for paths says of one.
  public enum PathRuling {
    /// It is served.
    case allowed
    /// It is not served.
    case denied
    /// Some servers would serve another path, about which the rule says something else.
    case ambiguous(PathConflict)
  }

  /// Whether the path is served: in every reading it is at or below one of the prefixes.
  public func rule(on path: Span<UInt8>) -> PathRuling {
    guard let paths, let pathTrees else { return .allowed }
    // A loop: closures cannot have a span.
    var prefix: PathPrefix?
    for candidate in paths where candidate.covers(path) && candidate.length >= prefix?.length ?? 0 {
      prefix = candidate
    }
    guard pathTrees.concern(path) else { return prefix == nil ? .denied : .allowed }
    let question = PathReadings.Question(prefix: prefix, isConfined: false, expected: prefix == nil ? nil : 1)
    switch pathTrees.compare(path, question, outcome: { $0 }) {
    case .same: return prefix == nil ? .denied : .allowed
    case _ where prefix?.isLeft(by: path) == true: return .denied
    case .tooMany: return .ambiguous(.tooMany)
    case .leaves(let reading), .differs(nil, let reading):
      return .ambiguous(PathConflict(reading, "is not under \"paths\""))
    case .differs(_, let reading): return .ambiguous(PathConflict(reading, "is under \"paths\" while it is not"))
    }
  }
}
