internal import Bytes
internal import Encodings
internal import Glibc
internal import HTTPWire

/// One field line of a request or a response, as text.
public struct ServiceField: Sendable, Equatable {
  /// The name, in the case that was received or will be sent.
  public let name: String
  /// The value, without the whitespace around it.
  public let value: String

  /// The field line `name: value`.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// The response of a handler. The service adds Content-Length, Date and Connection, and omits the body if the request or the
/// status forbids one.
public struct ServiceResponse: Sendable, Equatable {
  /// The status code, 200...599.
  public let status: Int
  /// Further field lines, in order; none of those that the service adds.
  public let fields: [ServiceField]
  /// The body.
  public let body: [UInt8]

  /// A response of these parts.
  public init(status: Int, fields: [ServiceField] = [], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  /// A response with a body of the media type `type`.
  public init(status: Int, type: String, fields: [ServiceField] = [], body: [UInt8]) {
    self.init(status: status, fields: [ServiceField("Content-Type", type)] + fields, body: body)
  }

  /// A plain-text response; a line end is added to `text`.
  public static func text(_ status: Int, _ text: String, fields: [ServiceField] = []) -> ServiceResponse {
    ServiceResponse(
      status: status, type: "text/plain; charset=utf-8", fields: fields, body: Array(text.utf8) + [UInt8(ascii: "\n")])
  }

  /// 405, for a resource that supports only the methods `allowed` (RFC 9110 section 15.5.6).
  public static func methodNotAllowed(allowed: [String]) -> ServiceResponse {
    let list = allowed.joined(separator: ", ")
    return .text(405, "this resource allows \(list)", fields: [ServiceField("Allow", list)])
  }

  /// The response to a request that the parser rejects.
  static func refusal(_ error: WireError) -> ServiceResponse {
    .text(error.status, error.message)
  }
}

extension ServiceResponse {
  // How much of the body is sent at a time.
  private static let piece = 16 * 1024

  /// The head of this response (RFC 9112 section 4), in a buffer with room for a piece of the body, and the body to send after
  /// it.
  /// - Parameters:
  ///   - isHead: whether the request is a HEAD: everything but the body is as for GET (RFC 9110 section 9.3.2).
  ///   - closing: whether the connection ends after the response.
  func message(isHead: Bool, closing: Bool) -> (head: ByteBuffer, content: [UInt8]) {
    var head = "HTTP/1.1 \(status) \(ReasonPhrase.of(status))\r\n"
    for field in fields { head += "\(field.name): \(Self.oneLine(field.value))\r\n" }
    // RFC 9110 section 8.6: a 204 has no Content-Length; for HEAD it counts the omitted body. A 304 never has a body here.
    if status != 204 { head += "Content-Length: \(body.count)\r\n" }
    head += "Date: \(Self.date)\r\n"
    if closing { head += "Connection: close\r\n" }
    head += "\r\n"
    let hasBody = !isHead && status != 204 && status != 304
    let content = hasBody ? body : []
    let buffer = ByteBuffer(capacity: head.utf8.count + min(content.count, Self.piece))
    buffer.append(head)
    return (buffer, content)
  }

  // A handler may copy received text into a field value; a line end in it would begin another field.
  private static func oneLine(_ value: String) -> String {
    guard value.utf8.contains(where: \.isControl) else { return value }
    return String(String.UnicodeScalarView(value.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
  }

  private static var date: String {
    String(decoding: HTTPDate.text(secondsSince1970: UInt64(time(nil))), as: UTF8.self)
  }
}
