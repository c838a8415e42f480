extension ByteBuffer {
  /// Appends `count` bytes `0`, to be overwritten later; there must be room.
  public func appendZeros(_ count: Int) {
    precondition(count <= freeSpace, "the buffer is too small for what is appended")
    unsafe withUnsafeFreeSpace { free in
      for position in 0..<count { unsafe free[position] = UInt8(ascii: "0") }
    }
    commit(count)
  }

  /// Writes `number` in `digits` lower-case hexadecimal digits, zeros before it, over the readable bytes at `offset`.
  public func overwrite(hexadecimal number: UInt64, digits: Int, at offset: Int) {
    precondition(digits >= 0 && offset >= start && digits <= end - offset, "what is overwritten must be readable")
    precondition(digits >= 16 || number >> UInt64(4 * digits) == 0, "the number has more digits")
    var rest = number
    for position in stride(from: offset + digits - 1, through: offset, by: -1) {
      let digit = UInt8(truncatingIfNeeded: rest & 0xf)
      setByte(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10, at: position)
      rest >>= 4
    }
  }
}
