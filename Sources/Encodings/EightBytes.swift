/// Eight bytes that are checked at once.
///
/// Additions leave out the highest bit of each byte, so that no sum carries into the next byte.
@frozen public struct EightBytes {
  @usableFromInline let word: UInt64

  @inlinable
  @inline(__always)
  init(_ word: UInt64) { self.word = word }

  /// Whether all are printable ASCII other than quotation marks and backslashes.
  @inlinable
  @inline(__always)
  public var areClean: Bool {
    areAll(areAtLeast(0x20) & areNot(UInt8(ascii: "\"")) & areNot(UInt8(ascii: "\\")))
  }

  /// Whether all are clean, and none is a space or an equals sign.
  @inlinable
  @inline(__always)
  public var areBare: Bool {
    areAll(
      areAtLeast(0x21) & areNot(UInt8(ascii: "\"")) & areNot(UInt8(ascii: "\\")) & areNot(UInt8(ascii: "=")))
  }

  // Bit 7 of each byte is the result for that byte; the other bits mean nothing.

  @inlinable
  @inline(__always)
  func areAll(_ answers: UInt64) -> Bool {
    let arePrintable = ~word & ~((word & ~Self.highBits) &+ Self.repeated(1))
    return answers & arePrintable & Self.highBits == Self.highBits
  }

  @inlinable
  @inline(__always)
  func areAtLeast(_ byte: UInt8) -> UInt64 {
    (word & ~Self.highBits) &+ Self.repeated(0x80 - byte)
  }

  @inlinable
  @inline(__always)
  func areNot(_ byte: UInt8) -> UInt64 {
    ((word & ~Self.highBits) ^ Self.repeated(byte)) &+ Self.repeated(0x7F)
  }

  @inlinable
  @inline(__always)
  static func repeated(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

  @inlinable
  @inline(__always)
  static var highBits: UInt64 { 0x8080_8080_8080_8080 }
}

extension EightBytes {
  /// Whether `judgement` holds for all of `bytes`, some of which it may get twice.
  @inlinable
  @inline(__always)
  public static func all(of bytes: Span<UInt8>, where judgement: (EightBytes) -> Bool) -> Bool {
    // Every load is checked against the bounds of the span; it is called unsafe because of the types that it can load.
    let count = bytes.count
    guard count >= 8 else { return count == 0 || judgement(EightBytes(paddedWord(of: bytes))) }
    var offset = 0
    while offset &+ 8 <= count {
      guard judgement(unsafe EightBytes(bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      else {
        return false
      }
      offset &+= 8
    }
    return offset == count
      || judgement(unsafe EightBytes(bytes.bytes.unsafeLoadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)))
  }

  /// One to seven bytes, some of them repeatedly.
  @inlinable
  @inline(__always)
  static func paddedWord(of bytes: Span<UInt8>) -> UInt64 {
    let count = bytes.count
    if count >= 4 {
      let first = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)
      let last = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
      return UInt64(first) << 32 | UInt64(last)
    }
    let three = UInt32(bytes[0]) << 16 | UInt32(bytes[count / 2]) << 8 | UInt32(bytes[count &- 1])
    return UInt64(three << 8 | three >> 16) &* 0x1_0000_0001
  }
}
