/// application/x-www-form-urlencoded, the serializing half (RFC 6749, appendix B).
enum FormEncoding {
  /// The most bytes that the encoding of `count` bytes takes.
  static func longest(_ count: Int) -> Int { 3 * count }

  /// Hands the encoding of `byte` to `write`.
  static func encode(_ byte: UInt8, _ write: (UInt8) -> Void) {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "*"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      write(byte)
    default:
      // A space too: every server reads %20, while "+" is a plus to those that decode Basic credentials as a URL.
      write(UInt8(ascii: "%"))
      write(digit(byte >> 4))
      write(digit(byte & 15))
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }
}
