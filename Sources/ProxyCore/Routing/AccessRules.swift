internal import Addresses
internal import Configuration

/// What a route serves of the requests that match it, as requests meet it.
final class AccessRules: Sendable {
  private let clients: [IPNetwork]?
  private let methods: [[UInt8]]?
  private let paths: [PathPrefix]?
  /// The methods that are served, as Allow lists them; "" where no rule names any.
  let allowedMethods: String
  /// The beginnings of paths that are served, for a message.
  let allowedPaths: String

  init(_ rules: RouteRules) {
    clients = rules.allow
    methods = rules.methods?.map { Array($0.utf8) }
    paths = rules.paths?.map { PathPrefix($0) }
    allowedMethods = rules.methods?.joined(separator: ", ") ?? ""
    allowedPaths = rules.paths?.joined(separator: ", ") ?? ""
  }

  /// Whether a client at `address` may use the route.
  func admits(_ address: IPAddress?) -> Bool { clients.admits(address) }

  /// Whether the method is served; methods are compared byte by byte (RFC 9110 section 9.1).
  func allows(method: Span<UInt8>) -> Bool {
    guard let methods else { return true }
    return methods.contains { known in
      guard known.count == method.count else { return false }
      return known.indices.allSatisfy { known[$0] == method[$0] }
    }
  }

  /// Whether a field of the request could turn it into what is not served: there is a rule for the method or the path.
  var canBeOverridden: Bool { methods != nil || paths != nil }
  /// Whether there is a rule for the method.
  var limitsMethods: Bool { methods != nil }

  /// Whether a field that replaces `part` of the request may have this value. Case does not count in the name of a
  /// method there; a path cannot be compared with what a framework makes of it, and is refused where there is a rule.
  func allows(_ part: OverrideField, value: Span<UInt8>) -> Bool {
    switch part {
    case .path: return paths == nil
    case .method:
      guard let methods else { return true }
      return methods.contains { known in
        guard known.count == value.count else { return false }
        return known.indices.allSatisfy { Self.lowercased(known[$0]) == Self.lowercased(value[$0]) }
      }
    }
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
  }

  /// Whether the path is served: it is at or below one of the prefixes, and its dot segments do not leave that.
  func allows(path: Span<UInt8>) -> Bool {
    guard let paths else { return true }
    return paths.contains { $0.covers(path) && !$0.isLeft(by: path) }
  }
}

extension [IPNetwork]? {
  /// Whether `address` is in one of the ranges; every address is where there is no list.
  func admits(_ address: IPAddress?) -> Bool {
    guard let networks = self else { return true }
    guard let address else { return false }
    return networks.contains { $0.contains(address) }
  }
}
