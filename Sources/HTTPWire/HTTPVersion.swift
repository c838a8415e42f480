/// The version of a message. A minor version above 1 counts as 1.1 (RFC 9110 2.5); another major version is an error.
public enum HTTPVersion: UInt8, Sendable {
  /// HTTP/1.0.
  case http10
  /// HTTP/1.1.
  case http11
}
