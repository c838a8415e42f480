/// Which bytes of a message: offsets from the first byte that the parser was given.
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

  /// The same range in `Int` offsets; they must fit 32 bits.
  @inlinable
  public init(_ range: Range<Int>) {
    self.init(start: Int32(range.lowerBound), end: Int32(range.upperBound))
  }

  /// The number of bytes.
  @inlinable public var count: Int { Int(end) - Int(start) }
  /// Whether there is no byte in it.
  @inlinable public var isEmpty: Bool { start == end }
  /// The same range in `Int` offsets.
  @inlinable public var range: Range<Int> { Int(start)..<Int(end) }
}
