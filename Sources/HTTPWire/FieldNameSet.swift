/// A set of known field names.
public struct FieldNameSet: Sendable, Equatable, ExpressibleByArrayLiteral {
  @usableFromInline var bits: UInt64

  /// No name.
  public static let none = FieldNameSet(bits: 0)

  init(bits: UInt64) { self.bits = bits }

  /// The names given.
  @inlinable
  public init(arrayLiteral names: FieldName...) {
    bits = 0
    for name in names { insert(name) }
  }

  /// Whether `name` is in the set.
  @inlinable
  public func contains(_ name: FieldName) -> Bool {
    bits & (1 << UInt64(name.rawValue)) != 0
  }

  /// Whether a name is in both sets.
  func intersects(_ other: FieldNameSet) -> Bool { bits & other.bits != 0 }

  /// Adds `name`.
  @inlinable
  public mutating func insert(_ name: FieldName) {
    bits |= 1 << UInt64(name.rawValue)
  }

  /// Takes `name` away.
  @inlinable
  public mutating func remove(_ name: FieldName) {
    bits &= ~(1 << UInt64(name.rawValue))
  }

  /// The names that are in this set or in `other`.
  @inlinable
  public func union(_ other: FieldNameSet) -> FieldNameSet {
    var both = self
    both.bits |= other.bits
    return both
  }

  /// This set without `name`.
  @inlinable
  public func subtracting(_ name: FieldName) -> FieldNameSet {
    var rest = self
    rest.remove(name)
    return rest
  }
}
