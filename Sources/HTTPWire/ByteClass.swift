/// What a byte may be part of, looked up in one load.
///
/// The table is a constant in the binary: an `InlineArray` of literals needs no initialisation at run time.
enum ByteClass {
  /// `tchar` of RFC 9110 5.6.2: field names, methods, connection options.
  static let token: UInt8 = 1
  /// A byte of a path as it is accepted here, but for `%` and `?`, which mean something.
  static let path: UInt8 = 2
  /// A byte of a host name: letters, digits, `-`, `.` and `_`.
  static let hostName: UInt8 = 4
  /// A hexadecimal digit of either case.
  static let hexDigit: UInt8 = 8

  /// Whether `byte` is of the class `bits`.
  @inline(__always)
  static func contains(_ byte: UInt8, _ bits: UInt8) -> Bool {
    table[Int(byte)] & bits != 0
  }

  /// The value of a hexadecimal digit, or nil.
  @inline(__always)
  static func hexValue(_ byte: UInt8) -> UInt8? {
    guard contains(byte, hexDigit) else { return nil }
    return byte <= UInt8(ascii: "9") ? byte &- UInt8(ascii: "0") : (byte | 0x20) &- UInt8(ascii: "a") &+ 10
  }

  /// Whether `byte` is a decimal digit.
  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10
  }

  // Sixteen bytes a row; each entry is the sum of the classes above.
  private static let table: InlineArray<256, UInt8> = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 3, 0, 1, 3, 1, 3, 3, 2, 2, 3, 3, 2, 7, 7, 2,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 2, 2, 0, 2, 0, 0,
    2, 15, 15, 15, 15, 15, 15, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 0, 2, 3, 7,
    3, 15, 15, 15, 15, 15, 15, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 3, 2, 3, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  ]
}

// The bytes that have names of their own in the grammar.
let cr: UInt8 = 0x0d
let lf: UInt8 = 0x0a
let space: UInt8 = 0x20
let tab: UInt8 = 0x09
