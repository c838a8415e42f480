internal import Encodings

/// The version of a message. A minor version above 1 counts as 1.1 (RFC 9110 section 2.5); another major version is an error.
public enum HTTPVersion: UInt8, Sendable {
  /// HTTP/1.0.
  case http10
  /// HTTP/1.1.
  case http11
}

extension HTTPVersion {
  /// Parses the eight bytes `HTTP/1.1` at `start` (RFC 9112 section 2.3); nil if they do not all precede `end`.
  @inline(__always)
  static func scan(_ bytes: Span<UInt8>, from start: Int, to end: Int) throws(WireError) -> HTTPVersion? {
    if start &+ 8 <= end, unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self) == current {
      return .http11
    }
    return try scanOther(bytes, from: start, to: end)
  }

  // The bytes of `HTTP/1.1`, in memory order.
  private static let current = UInt64(littleEndian: 0x312e_312f_5054_5448)

  @inline(never)
  private static func scanOther(_ bytes: Span<UInt8>, from start: Int, to end: Int) throws(WireError) -> HTTPVersion? {
    var position = start
    for expected: UInt8 in [0x48, 0x54, 0x54, 0x50, 0x2f] {
      guard position < end else { return nil }
      guard bytes[position] == expected else { throw .malformedVersion }
      position += 1
    }
    guard position < end else { return nil }
    let major = bytes[position]
    guard major.isDigit else { throw .malformedVersion }
    guard position + 1 < end else { return nil }
    guard bytes[position + 1] == UInt8(ascii: ".") else { throw .malformedVersion }
    guard position + 2 < end else { return nil }
    let minor = bytes[position + 2]
    guard minor.isDigit else { throw .malformedVersion }
    guard major == UInt8(ascii: "1") else { throw .unsupportedVersion }
    return minor == UInt8(ascii: "0") ? .http10 : .http11
  }
}
