extension UInt8 {
  /// Whether it is an ASCII decimal digit.
  @inlinable public var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

  /// Whether it is an ASCII letter.
  @inlinable public var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }

  /// Whether it is an ASCII hexadecimal digit, in either case.
  @inlinable public var isHexDigit: Bool { isDigit || (self | 0x20) &- UInt8(ascii: "a") < 6 }

  /// Whether it is an ASCII control character.
  @inlinable public var isControl: Bool { self < 0x20 || self == 0x7f }

  /// The value of a hexadecimal digit in either case; nil for any other byte.
  @inlinable public var hexValue: UInt8? {
    if isDigit { return self &- UInt8(ascii: "0") }
    return (self | 0x20) &- UInt8(ascii: "a") < 6 ? (self | 0x20) &- UInt8(ascii: "a") &+ 10 : nil
  }

  /// The same letter in lower case; any other byte as it is.
  @inlinable public var asciiLowercased: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }

  /// The hexadecimal digit for the lowest four bits.
  @inlinable
  public func hexDigit(uppercase: Bool = false) -> UInt8 {
    let value = self & 15
    return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: uppercase ? "A" : "a") + value - 10
  }
}
