/// Percent-encoding (RFC 3986 section 2.1), and the forms that are built on it (`application/x-www-form-urlencoded`).
public enum PercentEncoding {
  /// What becomes of a `%` that begins no two hexadecimal digits.
  public enum Malformed: Sendable {
    /// It is kept as it is.
    case kept
    /// Nothing is decoded.
    case refused
  }

  /// The decoded bytes of `text`; nil where it is malformed and that is rejected.
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

  /// The most bytes that the encoding of `count` bytes takes.
  public static func longest(_ count: Int) -> Int { 3 * count }

  /// Hands the encoding of `byte` in a form to `write` (RFC 6749 appendix B).
  public static func encodeForForm(_ byte: UInt8, _ write: (UInt8) -> Void) {
    switch byte {
    case _ where byte.isLetter || byte.isDigit, UInt8(ascii: "*"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      write(byte)
    default:
      // A space too: every server reads %20, while "+" is a plus to those that decode Basic credentials as a URL.
      write(UInt8(ascii: "%"))
      write((byte >> 4).hexDigit(uppercase: true))
      write(byte.hexDigit(uppercase: true))
    }
  }
}
