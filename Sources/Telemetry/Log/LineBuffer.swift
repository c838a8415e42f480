/// Bytes of log lines, in memory that grows and is kept.
@safe struct LineBuffer: ~Copyable {
  /// How many bytes have been appended.
  private(set) var count = 0

  // Owned by this value alone; the first `count` bytes are initialised.
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

  /// Forgets the bytes, and keeps their memory.
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
  mutating func append(decimal number: UInt64, decimals: Int = 0) {
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

  /// Appends a key of ``LogKeys``: as many of its first bytes as its last one says.
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
  /// Appends the first `limit` bytes of `value` as a value of logfmt: as it is, or as a JSON string if it is empty or
  /// could be mistaken for something else.
  mutating func append(logfmtValue value: Span<UInt8>, limit: Int) {
    if !value.isEmpty && value.count <= limit && value.isBare {
      append(value)
    } else {
      append(quoted: value, limit: limit)
    }
  }

  /// Appends the first `limit` bytes of `value` as a JSON string in printable characters, an ellipsis for the rest.
  ///
  /// Control characters, line separators and what changes the direction of text are written as `\u....`, so that no
  /// value can end a line, or look as if it did. A byte that is not part of valid UTF-8 is written as the four
  /// characters `\xHH`, with the backslash escaped: JSON has nothing for it.
  mutating func append(quoted value: Span<UInt8>, limit: Int) {
    append(UInt8(ascii: "\""))
    let shown = value.count <= limit ? value : value.extracting(first: value.boundary(before: limit))
    if shown.isClean {
      append(shown)
    } else {
      append(escaping: shown)
    }
    if shown.count < value.count { append("…") }
    append(UInt8(ascii: "\""))
  }

  private mutating func append(escaping value: Span<UInt8>) {
    var index = 0
    while index < value.count {
      guard let (scalar, length) = value.scalar(at: index) else {
        append("\\\\x")
        append(hexadecimal: UInt32(value[index]), digits: 2)
        index += 1
        continue
      }
      switch scalar {
      case 0x22: append("\\\"")
      case 0x5C: append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case _ where Self.isShownAsItIs(scalar): append(value.extracting(index..<(index + length)))
      default:
        append("\\u")
        append(hexadecimal: scalar, digits: 4)
      }
      index += length
    }
  }

  // C0, DEL and C1 drive terminals; U+2028 and U+2029 end lines for some readers; the others reorder what is shown.
  private static func isShownAsItIs(_ scalar: UInt32) -> Bool {
    switch scalar {
    case ..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: false
    default: true
    }
  }

  private mutating func append(hexadecimal number: UInt32, digits: Int) {
    for position in stride(from: digits - 1, through: 0, by: -1) {
      let digit = UInt8(truncatingIfNeeded: (number >> (4 * UInt32(position))) & 0xF)
      append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}

/// Eight bytes that are judged at once.
///
/// Each byte is added to without its highest bit, so that no sum carries into the next byte.
struct EightBytes {
  private let word: UInt64

  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// The bytes of `word`, in any order.
  @inline(__always)
  init(_ word: UInt64) { self.word = word }

  /// Whether all are printable ASCII other than quotation marks and backslashes.
  @inline(__always)
  var areClean: Bool { areAll(areAtLeast(0x20) & areNot(UInt8(ascii: "\"")) & areNot(UInt8(ascii: "\\"))) }

  /// Whether all are clean, and neither spaces nor equals signs.
  @inline(__always)
  var areBare: Bool {
    areAll(
      areAtLeast(0x21) & areNot(UInt8(ascii: "\"")) & areNot(UInt8(ascii: "\\")) & areNot(UInt8(ascii: "=")))
  }

  // Bit 7 of each byte is the answer for that byte; what else is set means nothing.

  @inline(__always)
  private func areAll(_ answers: UInt64) -> Bool {
    let arePrintable = ~word & ~((word & ~Self.highBits) &+ Self.repeated(1))
    return answers & arePrintable & Self.highBits == Self.highBits
  }

  @inline(__always)
  private func areAtLeast(_ byte: UInt8) -> UInt64 {
    (word & ~Self.highBits) &+ Self.repeated(0x80 - byte)
  }

  @inline(__always)
  private func areNot(_ byte: UInt8) -> UInt64 {
    ((word & ~Self.highBits) ^ Self.repeated(byte)) &+ Self.repeated(0x7F)
  }

  @inline(__always)
  private static func repeated(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }
}
