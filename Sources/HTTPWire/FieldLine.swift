internal import Encodings

/// One field line of a head or a trailer section (RFC 9112 section 5).
public struct FieldLine: Sendable, Equatable {
  /// The name as received.
  public var name: ByteRange
  /// The value as received, without surrounding whitespace.
  public var value: ByteRange
  /// The name, if the proxy knows it.
  public var known: FieldName
}

extension FieldLine {
  /// What begins at a position in a field section.
  enum Scan {
    /// A field line; the next line begins at `next`.
    case field(FieldLine, next: Int)
    /// The empty line that ends the section; the bytes after it begin at `next`.
    case end(next: Int)
    /// The line is not complete.
    case incomplete
  }

  /// Parses the line at `start`, and reads no byte from `end` on.
  ///
  /// Bytes are checked from left to right, each before its successors are known, so that a message fails in the same way,
  /// however it is split into pieces.
  ///
  /// - Parameter takesBlanksBeforeColon: whether whitespace between a name and its colon is dropped instead of rejected (RFC
  ///   9112 section 5.1). Only responses may have it, and not where it would make their framing uncertain.
  @inline(__always)
  static func scan(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, takesBlanksBeforeColon: Bool = false
  ) throws(WireError) -> Scan {
    let position = bytes.firstNotToken(from: start, to: end)
    guard position < end else { return .incomplete }
    guard position > start, bytes[position] == UInt8(ascii: ":") else {
      if takesBlanksBeforeColon, position > start, isBlank(bytes[position]) {
        return try scanBehindBlanks(bytes, from: start, at: position, to: end)
      }
      return try scanOther(bytes, from: start, at: position, to: end)
    }
    let name = ByteRange(start: Int32(truncatingIfNeeded: start), end: Int32(truncatingIfNeeded: position))
    return try scanValue(bytes, of: name, behind: position, to: end)
  }

  /// Continues after the colon.
  @inline(__always)
  private static func scanValue(
    _ bytes: Span<UInt8>, of name: ByteRange, behind colon: Int, to end: Int
  ) throws(WireError) -> Scan {
    var position = colon &+ 1
    while position < end, bytes[position] == space || bytes[position] == tab { position &+= 1 }
    let valueStart = position
    position = bytes.firstControl(from: position, to: end)
    guard position < end else { return .incomplete }
    guard bytes[position] == cr else { throw fault(of: bytes[position]) }
    guard position &+ 1 < end else { return .incomplete }
    guard bytes[position &+ 1] == lf else { throw .bareCarriageReturn }
    var valueEnd = position
    while valueEnd > valueStart, bytes[valueEnd &- 1] == space || bytes[valueEnd &- 1] == tab { valueEnd &-= 1 }
    let value = ByteRange(start: Int32(truncatingIfNeeded: valueStart), end: Int32(truncatingIfNeeded: valueEnd))
    let line = FieldLine(name: name, value: value, known: FieldName.recognise(bytes, name))
    return .field(line, next: position &+ 2)
  }

  /// Continues at `position`, where whitespace follows a name without a colon.
  @inline(never)
  private static func scanBehindBlanks(
    _ bytes: Span<UInt8>, from start: Int, at position: Int, to end: Int
  ) throws(WireError) -> Scan {
    let name = ByteRange(start..<position)
    guard !FieldNameSet.framesOrConnects.contains(FieldName.recognise(bytes, name)) else {
      throw .whitespaceInFieldName
    }
    let colon = bytes.firstNotBlank(from: position, to: end)
    guard colon < end else { return .incomplete }
    guard bytes[colon] == UInt8(ascii: ":") else { throw .whitespaceInFieldName }
    return try scanValue(bytes, of: name, behind: colon, to: end)
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// Handles `position`, the first byte of the line that is not part of a field name, if it is not the colon.
  @inline(never)
  private static func scanOther(
    _ bytes: Span<UInt8>, from start: Int, at position: Int, to end: Int
  ) throws(WireError) -> Scan {
    let isFirst = position == start
    switch bytes[position] {
    case cr:
      guard position + 1 < end else { return .incomplete }
      guard bytes[position + 1] == lf else { throw .bareCarriageReturn }
      guard isFirst else { throw .missingColon }
      return .end(next: position + 2)
    case space, tab: throw isFirst ? .foldedField : .whitespaceInFieldName
    case lf: throw .bareLineFeed
    default: throw .invalidFieldName
    }
  }

  /// The error for a control character that is not the CR at the end of the line.
  private static func fault(of byte: UInt8) -> WireError {
    byte == lf ? .bareLineFeed : .controlByte
  }
}

/// The elements of a comma-separated list, without surrounding whitespace, including empty ones.
///
/// It does not handle quoted strings, which do not occur in the lists that it is used for.
struct ListElements {
  private var position: Int
  private let end: Int
  private var isAtEnd = false

  init(_ value: ByteRange) {
    position = Int(value.start)
    end = Int(value.end)
  }

  mutating func next(_ bytes: Span<UInt8>) -> ByteRange? {
    guard !isAtEnd else { return nil }
    var first = position
    while position < end, bytes[position] != UInt8(ascii: ",") { position += 1 }
    var last = position
    while first < last, bytes[first] == space || bytes[first] == tab { first += 1 }
    while last > first, bytes[last - 1] == space || bytes[last - 1] == tab { last -= 1 }
    if position < end { position += 1 } else { isAtEnd = true }
    return ByteRange(first..<last)
  }
}

extension Span<UInt8> {
  /// Whether the bytes at `range` are one token (RFC 9110 section 5.6.2).
  func isToken(_ range: ByteRange) -> Bool {
    for offset in range.range where !ByteClass.contains(self[offset], ByteClass.token) { return false }
    return !range.isEmpty
  }
}

extension Span<UInt8> {
  /// Whether the tokens at `first` and `second` are equal, ignoring case.
  func equalsIgnoringCase(_ first: ByteRange, _ second: ByteRange) -> Bool {
    guard first.count == second.count else { return false }
    for (left, right) in zip(first.range, second.range) where lowercased(left) != lowercased(right) { return false }
    return true
  }

  func lowercased(_ offset: Int) -> UInt8 { self[offset].asciiLowercased }
}
