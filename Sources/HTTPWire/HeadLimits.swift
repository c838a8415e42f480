/// How large a message head may be.
public struct HeadLimits: Sendable, Equatable {
  /// Bytes of the whole head: start line, field lines and the empty line.
  public var bytes: Int
  /// Bytes of the request line or status line, without its CRLF. RFC 9112 3 asks for 8,000 or more.
  public var requestLine: Int
  /// The number of field lines.
  public var fields: Int

  /// The limits given; what does not fit the 32-bit offsets of a head is cut down to what does.
  public init(bytes: Int = 65_536, requestLine: Int = 8_192, fields: Int = 100) {
    let largest = 1 << 30
    self.bytes = min(bytes, largest)
    self.requestLine = min(requestLine, largest)
    self.fields = fields
  }
}
