internal import Encodings
import Glibc

/// Bytes of log lines, in memory that grows and is reused.
@safe struct LineBuffer: ~Copyable {
  /// How many bytes have been appended.
  private(set) var count = 0

  // Owned by this value only; the first `count` bytes are initialised.
  private var storage: UnsafeMutablePointer<UInt8>
  private var capacity: Int

  /// An empty buffer with room for `capacity` bytes.
  init(capacity: Int) {
    self.capacity = max(capacity, 1)
    unsafe storage = .allocate(capacity: self.capacity)
  }

  deinit { unsafe storage.deallocate() }

  /// Everything appended since the last ``removeAll()``.
  var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get {
      let bytes = unsafe UnsafeBufferPointer(start: storage, count: count)
      return unsafe _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
    }
  }

  /// Removes the bytes, and keeps their memory.
  mutating func removeAll() {
    count = 0
  }

  /// Appends one byte.
  @inline(__always)
  mutating func append(_ byte: UInt8) {
    if count == capacity { grow(by: 1) }
    unsafe storage[count] = byte
    count += 1
  }

  /// Appends `bytes`.
  mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return }
      unsafe append(start, bytes.count)
    }
  }

  /// Appends a literal.
  mutating func append(_ literal: StaticString) {
    unsafe append(literal.utf8Start, literal.utf8CodeUnitCount)
  }

  /// Appends the UTF-8 of `text`.
  @inline(__always)
  mutating func append(_ text: String) {
    append(text.utf8.span)
  }

  /// Appends `number` in decimal digits, of which the last `decimals` follow a point if any of them is not zero.
  @inline(__always)
  mutating func append(decimal number: UInt64, decimals: Int = 0) {
    // Nearly all numbers of a log line are small: counts, statuses, and durations, which have three significant digits.
    if number < 1000, decimals == 0 || decimals >= 2 && decimals <= 3 {
      append(small: number, decimals: decimals)
    } else {
      append(any: number, decimals: decimals)
    }
  }

  /// Appends `number` in 16 hexadecimal digits.
  mutating func append(hexadecimal number: UInt64) {
    if capacity - count < 16 { grow(by: 16) }
    let first = Self.hexadecimalDigits(of: UInt32(truncatingIfNeeded: number &>> 32))
    let second = Self.hexadecimalDigits(of: UInt32(truncatingIfNeeded: number))
    unsafe UnsafeMutableRawPointer(storage + count).storeBytes(of: first.bigEndian, as: UInt64.self)
    unsafe UnsafeMutableRawPointer(storage + count + 8).storeBytes(of: second.bigEndian, as: UInt64.self)
    count &+= 16
  }

  /// The digits of `number`, each a byte of the result, the most significant one first.
  private static func hexadecimalDigits(of number: UInt32) -> UInt64 {
    // Each step halves the groups of digits and puts as many zeros between them.
    var digits = UInt64(number)
    digits = (digits | digits &<< 16) & 0x0000_FFFF_0000_FFFF
    digits = (digits | digits &<< 8) & 0x00FF_00FF_00FF_00FF
    digits = (digits | digits &<< 4) & 0x0F0F_0F0F_0F0F_0F0F
    let letters = ((digits &+ 0x0606_0606_0606_0606) &>> 4) & 0x0101_0101_0101_0101
    return digits &+ 0x3030_3030_3030_3030 &+ letters &* 39
  }

  /// Like ``append(decimal:decimals:)``, for less than 1000 with no, two or three decimals: writes all bytes at once.
  private mutating func append(small number: UInt64, decimals: Int) {
    if capacity - count < 8 { grow(by: 8) }
    let digits = UInt64(Self.threeDigits(of: number))
    var (text, length) = (digits, 3)
    if decimals == 0 || number == 0 {
      let zeros = number >= 100 ? 0 : number >= 10 ? 1 : 2
      (text, length) = (digits &>> (8 * UInt64(zeros)), 3 &- zeros)
    } else {
      let zeros = number % 10 != 0 ? 0 : number % 100 != 0 ? 1 : 2
      if decimals == 3 {
        (text, length) = (digits &<< 16 | 0x2E30, 5 &- zeros)
      } else {
        (text, length) = (digits & 0xFF | 0x2E00 | (digits & 0xFF_FF00) &<< 8, zeros == 2 ? 1 : 4 &- zeros)
      }
    }
    unsafe UnsafeMutableRawPointer(storage + count).storeBytes(of: text.littleEndian, as: UInt64.self)
    count &+= length
  }

  /// Appends the last three digits of `number`, with the zeros before them.
  mutating func append(threeDigits number: UInt64) {
    if capacity - count < 4 { grow(by: 4) }
    let digits = Self.threeDigits(of: number)
    unsafe UnsafeMutableRawPointer(storage + count).storeBytes(of: digits.littleEndian, as: UInt32.self)
    count &+= 3
  }

  /// The three digits of a number below 1000, the first in the lowest byte.
  @inline(__always)
  private static func threeDigits(of number: UInt64) -> UInt32 {
    let number = UInt32(truncatingIfNeeded: number)
    let (tens, ones) = (number / 10, number % 10)
    return (tens / 10) | (tens % 10) &<< 8 | ones &<< 16 | 0x30_3030
  }

  private mutating func append(any number: UInt64, decimals: Int) {
    var number = number
    var decimals = number == 0 ? 0 : decimals
    while decimals > 0 && number % 10 == 0 {
      number /= 10
      decimals -= 1
    }
    let length = decimals > 0 ? max(Self.digits(of: number), decimals + 1) + 1 : Self.digits(of: number)
    if capacity - count < length { grow(by: length) }
    // From the last digit to the first.
    count += length
    var position = count
    if decimals > 0 {
      for _ in 0..<decimals { takeDigit(of: &number, before: &position) }
      position -= 1
      unsafe storage[position] = UInt8(ascii: ".")
    }
    repeat { takeDigit(of: &number, before: &position) } while number > 0
  }

  /// How many decimal digits `number` has.
  @inline(__always)
  private static func digits(of number: UInt64) -> Int {
    // Most numbers of a log line are small.
    if number < 10 { return 1 }
    if number < 100 { return 2 }
    if number < 1_000 { return 3 }
    if number < 10_000 { return 4 }
    var digits = 5
    var rest = number / 100_000
    while rest > 0 {
      digits += 1
      rest /= 10
    }
    return digits
  }

  /// Appends a key of ``LogKeys``: its last byte says how many of its first bytes.
  @inline(__always)
  mutating func append(key: SIMD32<UInt8>) {
    if capacity - count < 32 { grow(by: 32) }
    unsafe UnsafeMutableRawPointer(storage + count).storeBytes(of: key, as: SIMD32<UInt8>.self)
    count += Int(key[31])
  }

  @inline(__always)
  private mutating func takeDigit(of number: inout UInt64, before position: inout Int) {
    position -= 1
    unsafe storage[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10)
    number /= 10
  }

  @inline(__always)
  private mutating func append(_ start: UnsafePointer<UInt8>, _ length: Int) {
    if capacity - count < length { grow(by: length) }
    unsafe (storage + count).update(from: start, count: length)
    count += length
  }

  @inline(never)
  private mutating func grow(by length: Int) {
    let larger = max(capacity * 2, count + length)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    unsafe moved.moveInitialize(from: storage, count: count)
    unsafe storage.deallocate()
    unsafe storage = moved
    capacity = larger
  }
}

extension LineBuffer {
  /// Appends the first `limit` bytes of `value` as a logfmt value: unchanged, or as a JSON string if it is empty or
  /// could be mistaken for something else.
  mutating func append(logfmtValue value: Span<UInt8>, limit: Int) {
    if !value.isEmpty && value.count <= limit && value.isBare {
      append(value)
    } else {
      append(quoted: value, limit: limit)
    }
  }

  /// Appends the first `limit` bytes of `value` as a JSON string of printable characters; an ellipsis stands for the rest.
  mutating func append(quoted value: Span<UInt8>, limit: Int) {
    append(UInt8(ascii: "\""))
    let shown = value.count <= limit ? value : value.extracting(first: value.boundary(before: limit))
    if JSONText.isClean(shown) {
      append(shown)
    } else {
      JSONText.escape(shown) { append($0) }
    }
    if shown.count < value.count { append("…") }
    append(UInt8(ascii: "\""))
  }
}

extension Span<UInt8> {
  /// Whether these bytes can be a logfmt value without quotation marks. The caller handles an empty value.
  var isBare: Bool { EightBytes.all(of: self) { $0.areBare } }

  /// The largest offset up to `limit` that does not split a UTF-8 sequence.
  func boundary(before limit: Int) -> Int {
    var offset = limit
    while offset > 0 && limit - offset < 3 && self[offset] & 0xC0 == 0x80 { offset -= 1 }
    return self[offset] & 0xC0 == 0x80 ? limit : offset
  }
}

extension Span<UInt8> {
  /// How many lines end in these bytes.
  var lineCount: Int {
    // Every byte of the log passes through here twice; memchr handles many bytes at once.
    unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return 0 }
      var lines = 0
      var position = 0
      while let found = unsafe memchr(start + position, Int32(UInt8(ascii: "\n")), bytes.count - position) {
        lines += 1
        position = unsafe UnsafeRawPointer(found) - start + 1
      }
      return lines
    }
  }

  /// The length of the whole lines, from the first one on, that fit into `limit` bytes.
  func wholeLines(within limit: Int) -> Int {
    guard count > limit else { return count }
    var end = Swift.max(limit, 0)
    while end > 0 && self[end - 1] != UInt8(ascii: "\n") { end -= 1 }
    return end
  }
}
