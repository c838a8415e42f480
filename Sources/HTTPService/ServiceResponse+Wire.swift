internal import Bytes
internal import Glibc
internal import HTTPWire

extension ServiceResponse {
  /// The bytes of this response (RFC 9112 4).
  /// - Parameters:
  ///   - isHead: whether a HEAD request is answered: everything but the body is as for GET (RFC 9110 9.3.2).
  ///   - closing: whether the connection ends after it.
  func bytes(isHead: Bool, closing: Bool) -> ByteBuffer {
    var head = "HTTP/1.1 \(status) \(ReasonPhrase.of(status))\r\n"
    for field in fields { head += "\(field.name): \(Self.oneLine(field.value))\r\n" }
    // RFC 9110 8.6: not with 204, and what HEAD leaves out is counted; 304 is never sent with content here.
    if status != 204 { head += "Content-Length: \(body.count)\r\n" }
    head += "Date: \(Self.date)\r\n"
    if closing { head += "Connection: close\r\n" }
    head += "\r\n"
    let hasBody = !isHead && status != 204 && status != 304
    let buffer = ByteBuffer(capacity: head.utf8.count + (hasBody ? body.count : 0))
    buffer.append(head)
    if hasBody { buffer.append(body.span) }
    return buffer
  }

  // A handler may put what it received into a field value; a line end in there would begin another field.
  private static func oneLine(_ value: String) -> String {
    guard value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return value }
    return String(String.UnicodeScalarView(value.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
  }

  private static var date: String {
    String(decoding: HTTPDate.text(secondsSince1970: UInt64(time(nil))), as: UTF8.self)
  }
}
