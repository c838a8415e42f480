/// One field line of a head or a trailer section (RFC 9112 5).
public struct FieldLine: Sendable, Equatable {
  /// The name as it was received.
  public var name: ByteRange
  /// The value as it was received, without the whitespace around it.
  public var value: ByteRange
  /// The name, if it is one that means something to a proxy.
  public var known: FieldName
}
