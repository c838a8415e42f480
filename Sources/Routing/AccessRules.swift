public import Addresses
public import Configuration
internal import Encodings

/// The rules that decide which matching requests a route serves.
public final class AccessRules: Sendable {
  private let clients: [IPNetwork]?
  private let methods: [[UInt8]]?
  private let paths: [PathPrefix]?
  private let pathTrees: PathTrees?
  private let isChosenByPath: Bool
  /// The allowed methods, as in Allow; "" if no rule names any.
  public let allowedMethods: String
  /// The allowed path prefixes, for a message.
  public let allowedPaths: String

  /// The rules of one route of proxy.conf.
  ///
  /// - Parameter ignoresPathCase: whether the upstream ignores the case of paths.
  /// - Parameter isChosenByPath: whether another path would have another route or none, or lies outside of what the route may
  ///   forward.
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

  /// Whether the method is allowed; methods are compared byte by byte (RFC 9110 section 9.1).
  public func allows(method: Span<UInt8>) -> Bool {
    guard let methods else { return true }
    return methods.contains { known in
      guard known.count == method.count else { return false }
      return known.indices.allSatisfy { known[$0] == method[$0] }
    }
  }

  /// Whether the handling of a request depends on its path.
  public var dependsOnPath: Bool { paths != nil || isChosenByPath }
  /// Whether a field of the request could bypass a rule: there is a rule for the method or the path.
  public var canBeOverridden: Bool { methods != nil || dependsOnPath }
  /// Whether only one field that replaces or names `part` is allowed: which of several counts depends on the framework.
  public func allowsOne(_ part: OverrideField) -> Bool {
    switch part {
    case .method: methods != nil
    // All of them name the path of this request.
    case .original: false
    case .path, .forwardedPath, .prefix, .destination, .source, .accountSource: dependsOnPath
    }
  }

  /// Whether a field that replaces `part` of the request may have this value. A method name there is compared ignoring case; a
  /// path is rejected if there is a rule, since it cannot be compared with what a framework makes of it.
  public func allows(_ part: OverrideField, value: Span<UInt8>) -> Bool {
    switch part {
    case .path: return !dependsOnPath
    // The values of these are compared with the routes instead.
    case .original, .forwardedPath, .prefix, .destination, .source, .accountSource: return true
    case .method:
      guard let methods else { return true }
      return methods.contains { known in
        guard known.count == value.count else { return false }
        return known.indices.allSatisfy { known[$0].asciiLowercased == value[$0].asciiLowercased }
      }
    }
  }

  /// What the path rule says about a path.
  public enum PathRuling {
    /// It is allowed.
    case allowed
    /// It is not allowed.
    case denied
    /// Some servers would serve another path, for which the rule has another result.
    case ambiguous(PathConflict)
  }

  /// Checks the path: every reading must be at or below one of the prefixes.
  public func rule(on path: Span<UInt8>) -> PathRuling {
    guard let paths, let pathTrees else { return .allowed }
    // A loop, because closures cannot capture a span.
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
