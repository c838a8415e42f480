internal import HTTPWire

/// What a handler answers. The service adds Content-Length, Date and Connection, and leaves the body out where the
/// request or the status forbids one.
public struct ServiceResponse: Sendable, Equatable {
  /// The status code, 200...599.
  public let status: Int
  /// Further field lines, in order; none of those that the service adds.
  public let fields: [ServiceField]
  /// The content.
  public let body: [UInt8]

  /// A response of these parts.
  public init(status: Int, fields: [ServiceField] = [], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  /// A response with content of the media type `type`.
  public init(status: Int, type: String, fields: [ServiceField] = [], body: [UInt8]) {
    self.init(status: status, fields: [ServiceField("Content-Type", type)] + fields, body: body)
  }

  /// A response of plain text, to which a line end is added.
  public static func text(_ status: Int, _ text: String, fields: [ServiceField] = []) -> ServiceResponse {
    ServiceResponse(
      status: status, type: "text/plain; charset=utf-8", fields: fields, body: Array(text.utf8) + [UInt8(ascii: "\n")])
  }

  /// 405, for a resource that knows only the methods `allowed` (RFC 9110 15.5.6).
  public static func methodNotAllowed(allowed: [String]) -> ServiceResponse {
    let list = allowed.joined(separator: ", ")
    return .text(405, "this resource allows \(list)", fields: [ServiceField("Allow", list)])
  }

  /// What answers a request that the parser refuses.
  static func refusal(_ error: WireError) -> ServiceResponse {
    .text(error.status, error.message)
  }
}
