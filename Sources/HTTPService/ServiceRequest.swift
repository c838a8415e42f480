/// A request that arrived whole.
public struct ServiceRequest: Sendable {
  /// The method as it was sent; methods are case-sensitive (RFC 9110 9.1).
  public let method: String
  /// The request target as it was sent.
  public let target: String
  /// The path of the target, percent-encoded as it was sent; `*` for the asterisk form.
  public let path: String
  /// What follows the target's first `?`, if there is one.
  public let query: String?
  /// The field lines in the order in which they arrived.
  public let fields: [ServiceField]
  /// The content, without its transfer coding.
  public let body: [UInt8]

  /// A request of these parts; `target` in origin form, absolute form or `*`.
  public init(method: String, target: String, fields: [ServiceField] = [], body: [UInt8] = []) {
    self.method = method
    self.target = target
    self.fields = fields
    self.body = body
    let resource = Self.resource(of: target)
    let end = resource.firstIndex(of: "?")
    path = String(resource[..<(end ?? resource.endIndex)])
    query = end.map { String(resource[resource.index(after: $0)...]) }
  }

  /// The values of the field lines called `name`, in any case, in order.
  public func values(of name: String) -> [String] {
    let wanted = name.lowercased()
    return fields.filter { $0.name.lowercased() == wanted }.map(\.value)
  }

  /// The path and query of `target`, which a server gets in absolute form too (RFC 9112 3.2.2).
  private static func resource(of target: String) -> Substring {
    guard !target.hasPrefix("/"), target != "*" else { return target[...] }
    var scalars = target.unicodeScalars[...]
    guard let colon = scalars.firstIndex(of: ":") else { return target[...] }
    scalars = scalars[colon...].dropFirst()
    guard scalars.starts(with: "//".unicodeScalars) else { return target[...] }
    scalars = scalars.dropFirst(2)
    guard let start = scalars.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
    let resource = target[start...]
    return resource.hasPrefix("?") ? "/" + resource : resource
  }
}
