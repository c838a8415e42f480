extension ByteBuffer {
  /// Appends one byte; there must be room.
  public func append(_ byte: UInt8) {
    unsafe withUnsafeFreeSpace { unsafe $0[0] = byte }
    commit(1)
  }

  /// Appends `bytes`; there must be room.
  public func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { unsafe copyIn($0) }
  }

  /// Appends a literal; there must be room.
  public func append(_ literal: StaticString) {
    unsafe copyIn(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// Appends the UTF-8 of `string`; there must be room.
  public func append(_ string: String) {
    var string = string
    string.withUTF8 { utf8 in unsafe append(Span(_unsafeElements: utf8)) }
  }

  /// Appends `number` in decimal digits; there must be room.
  public func append(decimal number: UInt64) {
    appendDigits(number, radix: 10)
  }

  /// Appends `number` in lower-case hexadecimal digits; there must be room.
  public func append(hexadecimal number: UInt64) {
    appendDigits(number, radix: 16)
  }

  private func appendDigits(_ number: UInt64, radix: UInt64) {
    var length = 1
    var rest = number / radix
    while rest > 0 {
      length += 1
      rest /= radix
    }
    precondition(length <= freeSpace, "the buffer is too small for what is appended")
    rest = number
    unsafe withUnsafeFreeSpace { free in
      for position in stride(from: length - 1, through: 0, by: -1) {
        let digit = UInt8(truncatingIfNeeded: rest % radix)
        unsafe free[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        rest /= radix
      }
    }
    commit(length)
  }
}
