/// The elements of a comma-separated list, without the whitespace around them; empty ones included.
///
/// It knows no quoted strings, which the lists that it is used for do not contain.
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
  /// Whether the bytes at `range` are one token (RFC 9110 5.6.2).
  func isToken(_ range: ByteRange) -> Bool {
    for offset in range.range where !ByteClass.contains(self[offset], ByteClass.token) { return false }
    return !range.isEmpty
  }
}

extension Span<UInt8> {
  /// Whether the tokens at `first` and `second` are the same but for the case of letters.
  func equalsIgnoringCase(_ first: ByteRange, _ second: ByteRange) -> Bool {
    guard first.count == second.count else { return false }
    for (left, right) in zip(first.range, second.range) where lowercased(left) != lowercased(right) { return false }
    return true
  }

  func lowercased(_ offset: Int) -> UInt8 {
    let byte = self[offset]
    return byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }
}
