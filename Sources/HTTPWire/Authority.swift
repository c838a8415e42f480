/// A host and a port, as in a request target or a Host field (RFC 9110 7.2, RFC 3986 3.2).
public struct Authority: Sendable, Equatable {
  /// What a host is.
  public enum Kind: Sendable, Equatable {
    /// A name of letters, digits, hyphens, underscores and dots.
    case name
    /// An address in four decimal numbers.
    case ipv4(UInt32)
    /// An address in brackets, whatever of its many spellings was used.
    case ipv6(UInt128)
  }

  /// The host as it was received: without the brackets of an IPv6 address, with the dot that may end a name.
  public internal(set) var host: ByteRange
  /// What the host is.
  public internal(set) var kind: Kind
  /// The port; nil if there is none, or an empty one.
  public internal(set) var port: UInt16?

  /// Whether the host ends with a dot, as a fully qualified name may; `nameWithoutDot` is the same host without.
  public internal(set) var hasTrailingDot = false

  /// The host without the dot that may end it.
  public var nameWithoutDot: ByteRange {
    ByteRange(start: host.start, end: hasTrailingDot ? host.end - 1 : host.end)
  }

  /// Whether the host is an IPv6 address, which stands in brackets wherever a port may follow.
  public var isIPv6Literal: Bool {
    if case .ipv6 = kind { return true }
    return false
  }
}
