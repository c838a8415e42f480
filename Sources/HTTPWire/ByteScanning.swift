internal import Encodings

/// A part of a message: offsets from the first byte that the parser was given.
public struct ByteRange: Sendable, Equatable {
  /// Offset of the first byte.
  public var start: Int32
  /// Offset just after the last byte.
  public var end: Int32

  /// A range of no bytes at offset 0.
  public static let empty = ByteRange(start: 0, end: 0)

  /// The bytes from `start` up to but not including `end`.
  @inlinable
  public init(start: Int32, end: Int32) {
    self.start = start
    self.end = end
  }

  /// The same range from `Int` offsets, which must fit 32 bits.
  @inlinable
  public init(_ range: Range<Int>) {
    self.init(start: Int32(range.lowerBound), end: Int32(range.upperBound))
  }

  /// The number of bytes.
  @inlinable public var count: Int { Int(end) - Int(start) }
  /// Whether it is empty.
  @inlinable public var isEmpty: Bool { start == end }
  /// The same range in `Int` offsets.
  @inlinable public var range: Range<Int> { Int(start)..<Int(end) }
}

/// The classes of bytes, looked up with one load.
///
/// The table is a constant in the binary: an `InlineArray` of literals needs no initialisation at run time.
enum ByteClass {
  /// `tchar` of RFC 9110 section 5.6.2: field names, methods, connection options.
  static let token: UInt8 = 1
  /// A byte that is accepted in a path, except `%` and `?`, which have a meaning.
  static let path: UInt8 = 2
  /// A byte of a host name: letters, digits, `-`, `.` and `_`.
  static let hostName: UInt8 = 4
  /// A byte that is accepted in a query: every visible character except `#` and the unwise ones.
  static let query: UInt8 = 8
  /// A visible character that old clients leave raw and that must be percent-encoded: ``"<>^`{|}``.
  static let unwise: UInt8 = 16
  /// An unwise character that the parser accepts in a path: ``^`{|}``.
  static let unwiseInPath: UInt8 = 32

  /// Whether `byte` has one of the classes `bits`.
  @inline(__always)
  static func contains(_ byte: UInt8, _ bits: UInt8) -> Bool {
    table[Int(byte)] & bits != 0
  }

  // Sixteen bytes per row; each entry is the sum of the byte's classes.
  private static let table: InlineArray<256, UInt8> = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 11, 16, 1, 11, 9, 11, 11, 10, 10, 11, 11, 10, 15, 15, 10,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 10, 10, 16, 10, 16, 8,
    10, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 10, 8, 10, 49, 15,
    49, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 48, 49, 48, 11, 0,
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

// Bytes that have a name in the grammar.
let cr: UInt8 = 0x0d
let lf: UInt8 = 0x0a
let space: UInt8 = 0x20
let tab: UInt8 = 0x09

// Scans eight bytes at a time. Every load is checked against the bounds of the span (`unsafeLoadUnaligned` is called unsafe
// because of the types that it can load, not because of where it loads from). The lowest flagged byte of a word is exact;
// higher ones may be wrong because of a borrow, so only the lowest is used.
extension Span<UInt8> {
  /// Offset of the first byte in `start..<end` that a field value must not contain: a control character other than HTAB, or
  /// DEL; `end` if there is none.
  @inline(__always)
  func firstControl(from start: Int, to end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
      let flagged = belowSpace(word) | isDelete(word)
      if flagged == 0 {
        position &+= 8
        continue
      }
      position &+= flagged.trailingZeroBitCount &>> 3
      guard self[position] == tab else { return position }
      position &+= 1
    }
    while position < end {
      let byte = self[position]
      if (byte < space && byte != tab) || byte == 0x7f { return position }
      position &+= 1
    }
    return end
  }

  /// Offset of the first byte in `start..<end` that a token must not contain; `end` if there is none.
  @inline(__always)
  func firstNotToken(from start: Int, to end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
      let flagged = notOfMostNames(word)
      if flagged == 0 {
        position &+= 8
        continue
      }
      position &+= flagged.trailingZeroBitCount &>> 3
      guard ByteClass.contains(self[position], ByteClass.token) else { return position }
      position &+= 1
    }
    while position < end, ByteClass.contains(self[position], ByteClass.token) { position &+= 1 }
    return position
  }

  /// Offset of the first byte in `start..<end` that is neither a space nor a tab; `end` if there is none.
  func firstNotBlank(from start: Int, to end: Int) -> Int {
    var position = start
    while position < end, self[position] == space || self[position] == tab { position &+= 1 }
    return position
  }

  /// Offset of the first byte in `start..<end` that is not a visible ASCII character; `end` if there is none.
  @inline(__always)
  func firstNotVisible(from start: Int, to end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
      let flagged = belowSpace(word) | isSpace(word) | isDelete(word) | (word & highBits)
      if flagged == 0 {
        position &+= 8
        continue
      }
      return position &+ flagged.trailingZeroBitCount &>> 3
    }
    while position < end {
      let byte = self[position]
      if byte <= space || byte >= 0x7f { return position }
      position &+= 1
    }
    return end
  }

  /// Whether the bytes at `range` equal `literal`, which is in lower case, ignoring the case of ASCII letters.
  ///
  /// Setting bit 5 turns upper case into lower case. It turns no other byte of a token or a checked field value into a letter,
  /// a digit, `-`, `.` or `/`.
  @inline(__always)
  func equals(_ literal: StaticString, ignoringCaseAt range: ByteRange) -> Bool {
    let count = literal.utf8CodeUnitCount
    guard range.count == count else { return false }
    return equals(literal, count: count, at: Int(range.start))
  }

  /// As above for `count` bytes at `start`; `count` is the length of the literal, a constant in every call.
  @inline(__always)
  func equals(_ literal: StaticString, count: Int, at start: Int) -> Bool {
    // Safe: a literal lives forever, and `count` is its length.
    let wanted = unsafe UnsafeRawPointer(literal.utf8Start)
    if count >= 8 {
      var offset = 0
      while offset &+ 8 <= count {
        let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start &+ offset, as: UInt64.self)
        guard unsafe word | caseBits == wanted.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else {
          return false
        }
        offset &+= 8
      }
      if offset == count { return true }
      let last = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start &+ count &- 8, as: UInt64.self)
      return unsafe last | caseBits == wanted.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    }
    if count >= 4 {
      let bits = UInt32(truncatingIfNeeded: caseBits)
      let first = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)
      let last = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start &+ count &- 4, as: UInt32.self)
      return unsafe first | bits == wanted.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        && last | bits == wanted.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
    }
    for offset in 0..<count {
      guard unsafe self[start &+ offset] | 0x20 == wanted.load(fromByteOffset: offset, as: UInt8.self) else {
        return false
      }
    }
    return true
  }
}

private let highBits: UInt64 = 0x8080_8080_8080_8080
private let caseBits: UInt64 = 0x2020_2020_2020_2020

/// Bit 7 of every byte of `word` that is less than 0x20.
@inline(__always)
private func belowSpace(_ word: UInt64) -> UInt64 {
  (word &- 0x2020_2020_2020_2020) & ~word & highBits
}

/// Bit 7 of every byte of `word` that is 0x20.
@inline(__always)
private func isSpace(_ word: UInt64) -> UInt64 {
  isZero(word ^ 0x2020_2020_2020_2020)
}

/// Bit 7 of every byte of `word` that is not an ASCII letter, digit or hyphen, which most field names consist of.
///
/// Sums of seven bits do not carry into another byte, so this is exact for all eight.
@inline(__always)
private func notOfMostNames(_ word: UInt64) -> UInt64 {
  let low = word & ~highBits
  let folded = low | caseBits
  let letters = (folded &+ 0x1f1f_1f1f_1f1f_1f1f) & ~(folded &+ 0x0505_0505_0505_0505)
  let digits = (low &+ 0x5050_5050_5050_5050) & ~(low &+ 0x4646_4646_4646_4646)
  let hyphens = ~((low ^ 0x2d2d_2d2d_2d2d_2d2d) &+ 0x7f7f_7f7f_7f7f_7f7f)
  return (word | ~(letters | digits | hyphens)) & highBits
}

/// Bit 7 of every byte of `word` that is 0x7f.
@inline(__always)
private func isDelete(_ word: UInt64) -> UInt64 {
  isZero(word ^ 0x7f7f_7f7f_7f7f_7f7f)
}

@inline(__always)
private func isZero(_ word: UInt64) -> UInt64 {
  (word &- 0x0101_0101_0101_0101) & ~word & highBits
}
