/// What stands before the value of each ``LogField`` in a format, ready to be copied: a line has a dozen of them.
struct LogKeys {
  // As a vector each is written by one instruction, whatever its length, which is in its last element.
  private let keys: [SIMD32<UInt8>]

  init(_ format: LogFormat) {
    let fields = LogField.allCases
    keys =
      fields.map { Self.vector(format.key($0.name)) }
      + fields.map { Self.vector(format.key($0.name, unit: $0.durationUnit)) }
  }

  /// The key of `field`.
  @inline(__always)
  func key(of field: LogField) -> SIMD32<UInt8> { keys[field.rawValue] }

  /// The key of `field` before a duration.
  @inline(__always)
  func durationKey(of field: LogField) -> SIMD32<UInt8> { keys[keys.count / 2 + field.rawValue] }

  private static func vector(_ text: String) -> SIMD32<UInt8> {
    let utf8 = Array(text.utf8)
    precondition(utf8.count < 32, "the name of a field is short")
    var vector = SIMD32<UInt8>()
    for (index, byte) in utf8.enumerated() { vector[index] = byte }
    vector[31] = UInt8(utf8.count)
    return vector
  }
}
