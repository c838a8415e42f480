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
  public internal(set) var body: [UInt8]

  /// A request whose target is in origin form.
  public init(
    method: String, path: String, query: String? = nil, fields: [ServiceField] = [], body: [UInt8] = []
  ) {
    self.init(
      method: method, target: path + (query.map { "?" + $0 } ?? ""), path: path, query: query, fields: fields,
      body: body)
  }

  init(method: String, target: String, path: String, query: String?, fields: [ServiceField], body: [UInt8]) {
    self.method = method
    self.target = target
    self.path = path
    self.query = query
    self.fields = fields
    self.body = body
  }

  /// The values of the field lines called `name`, in any case, in order.
  public func values(of name: String) -> [String] {
    let wanted = name.lowercased()
    return fields.filter { $0.name.lowercased() == wanted }.map(\.value)
  }
}
