/// Percent-encoding (RFC 3986 section 2.1), and forms (`application/x-www-form-urlencoded`), which use it.
public enum PercentEncoding {
  /// What to do with a `%` that is not followed by two hexadecimal digits.
  public enum Malformed: Sendable {
    /// Keep it as it is.
    case kept
    /// Reject the text.
    case refused
  }

  /// The decoded bytes of `text`; nil if it is malformed and `malformed` rejects that.
  ///
  /// - Parameter plusIsSpace: whether `+` is a space, as in a form.
  public static func decode(
    _ text: some Sequence<UInt8>, plusIsSpace: Bool = false, malformed: Malformed = .refused
  ) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Array(text)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard rest.count >= 2, let high = rest[rest.startIndex].hexValue, let low = rest[rest.startIndex + 1].hexValue
        else {
          guard malformed == .kept else { return nil }
          bytes.append(byte)
          continue
        }
        bytes.append(high << 4 | low)
        rest = rest.dropFirst(2)
      default: bytes.append(byte)
      }
    }
    return bytes
  }

  /// The maximum length of the encoding of `count` bytes.
  public static func longest(_ count: Int) -> Int { 3 * count }

  /// Passes the form encoding of `byte` to `write` (RFC 6749 appendix B).
  public static func encodeForForm(_ byte: UInt8, _ write: (UInt8) -> Void) {
    switch byte {
    case _ where byte.isLetter || byte.isDigit, UInt8(ascii: "*"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      write(byte)
    default:
      // A space too: every server decodes %20, but servers that decode Basic credentials like a URL keep "+" as a plus.
      write(UInt8(ascii: "%"))
      write((byte >> 4).hexDigit(uppercase: true))
      write(byte.hexDigit(uppercase: true))
    }
  }
}
