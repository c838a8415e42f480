import Logging

extension LogLine {
  /// Writes a value of swift-log's metadata: numbers and truth values as such, a `Duration` in `unit`, an array as one
  /// text with commas, a dictionary as a field for each of its keys, and everything else as it describes itself.
  mutating func field(named name: String, _ value: Logger.MetadataValue, durationsIn unit: DurationUnit) {
    switch value {
    case .string(let text):
      field(named: name, text.utf8.span)
    case .stringConvertible(let duration as Duration):
      field(named: name, nanoseconds: Self.nanoseconds(of: duration), in: unit)
    case .stringConvertible(let number as any BinaryInteger):
      field(named: name, verbatim: number.description)
    case .stringConvertible(let number as Double) where number.isFinite:
      field(named: name, verbatim: number.description)
    case .stringConvertible(let truth as Bool):
      field(named: name, verbatim: truth.description)
    case .stringConvertible(let other):
      field(named: name, other.description.utf8.span)
    case .array(let values):
      field(named: name, values.map(\.description).joined(separator: ",").utf8.span)
    case .dictionary(let values):
      for (key, value) in values.sorted(by: { $0.key < $1.key }) {
        field(named: "\(name).\(Self.name(for: key))", value, durationsIn: unit)
      }
    }
  }

  /// `key` as the name of a field: a key is the program's own, but it must not break a line.
  static func name(for key: String) -> String {
    let bytes = key.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
        byte
      default: UInt8(ascii: "_")
      }
    }
    return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
  }

  // A duration that is negative, or longer than 584 years, is shown as the nearest that is not.
  private static func nanoseconds(of duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0 && attoseconds >= 0 else { return 0 }
    let (whole, overflows) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflows ? .max : whole &+ UInt64(attoseconds / 1_000_000_000)
  }
}
