/// How the end of a body is found (RFC 9112 6.3).
public enum BodyFraming: Sendable, Equatable {
  /// There is no body.
  case none
  /// The body is so many bytes long.
  case length(UInt64)
  /// The body is in chunks, and ends with one of size 0 and a trailer section.
  case chunked
  /// The body ends where the connection does. Responses only.
  case untilClose
}
