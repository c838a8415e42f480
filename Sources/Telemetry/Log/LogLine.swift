import Logging

/// A log line that is being written, after the lines that wait for the sink.
///
/// Fields follow in the order in which ``LogField`` declares them, each at most once. The same calls write both
/// formats, without allocation once the buffer is large enough. A value longer than the limit is cut and ends with an
/// ellipsis.
public struct LogLine: ~Copyable {
  let format: LogFormat
  private let keys: LogKeys
  private let longestValue: Int
  private var buffer: LineBuffer
  private var timestamp = Timestamp()
  private var last = LogField.time

  init(format: LogFormat, capacity: Int, longestValue: Int) {
    self.format = format
    keys = LogKeys(format)
    self.longestValue = longestValue
    buffer = LineBuffer(capacity: capacity)
  }

  /// The lines written since the last ``removeAll()``.
  var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { buffer.bytes }
  }

  /// Removes all lines, and keeps their memory.
  mutating func removeAll() {
    buffer.removeAll()
  }

  /// Writes a whole line, and returns how many bytes the buffer has now.
  mutating func write(_ event: StaticString, at time: UInt64, _ fields: (inout LogLine) -> Void) -> Int {
    begin(at: time)
    field(.event, event)
    fields(&self)
    end()
    return buffer.count
  }

  /// Begins a line about something that happened `time` nanoseconds after 1970-01-01T00:00:00Z.
  mutating func begin(at time: UInt64) {
    last = .time
    switch format {
    case .logfmt:
      buffer.append("time=")
      timestamp.append(time, to: &buffer)
    case .json:
      buffer.append("{\"time\":\"")
      timestamp.append(time, to: &buffer)
      buffer.append(UInt8(ascii: "\""))
    }
  }

  /// Ends the line.
  mutating func end() {
    switch format {
    case .logfmt: buffer.append(UInt8(ascii: "\n"))
    case .json: buffer.append("}\n")
    }
  }

  /// Writes `bytes`, whatever they are.
  public mutating func field(_ field: LogField, _ bytes: Span<UInt8>) {
    advance(to: field)
    buffer.append(key: keys.key(of: field))
    value(bytes)
  }

  /// Writes `text`.
  public mutating func field(_ field: LogField, _ text: String) {
    self.field(field, text.utf8.span)
  }

  /// Writes `literal`.
  public mutating func field(_ field: LogField, _ literal: StaticString) {
    let utf8 = unsafe UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    unsafe self.field(field, Span(_unsafeElements: utf8))
  }

  /// Writes `number`, a count or a code.
  public mutating func field(_ field: LogField, _ number: UInt64) {
    advance(to: field)
    buffer.append(key: keys.key(of: field))
    buffer.append(decimal: number)
  }

  /// Writes `number`, a count or a code, which is not negative.
  public mutating func field(_ field: LogField, _ number: Int) {
    self.field(field, UInt64(number))
  }

  /// Writes `number` in 16 hexadecimal digits, as a string.
  public mutating func field(_ field: LogField, hexadecimal number: UInt64) {
    advance(to: field)
    buffer.append(key: keys.key(of: field))
    if format == .json { buffer.append(UInt8(ascii: "\"")) }
    buffer.append(hexadecimal: number)
    if format == .json { buffer.append(UInt8(ascii: "\"")) }
  }

  /// Writes a duration in the unit that belongs to the field: `total=12.9ms`, or `"total_ms":12.9`.
  public mutating func field(_ field: LogField, nanoseconds: UInt64) {
    advance(to: field)
    buffer.append(key: keys.durationKey(of: field))
    value(nanoseconds: nanoseconds, in: field.durationUnit)
  }

  private mutating func advance(to field: LogField) {
    assert(last.precedes(field), "the field \(field.name) is out of the order in which LogField declares them")
    last = field
  }
}

// For names that are not in LogField; the caller must make sure that they are valid.
extension LogLine {
  /// Writes `bytes` under `name`.
  mutating func field(named name: String, _ bytes: Span<UInt8>) {
    buffer.append(format.key(name))
    value(bytes)
  }

  /// Writes under `name` a text that both formats take unchanged: a number, true or false.
  mutating func field(named name: String, verbatim text: String) {
    buffer.append(format.key(name))
    buffer.append(text)
  }

  /// Writes a duration under `name`, in `unit`.
  mutating func field(named name: String, nanoseconds: UInt64, in unit: DurationUnit) {
    buffer.append(format.key(name, unit: unit))
    value(nanoseconds: nanoseconds, in: unit)
  }

  private mutating func value(_ bytes: Span<UInt8>) {
    switch format {
    case .logfmt: buffer.append(logfmtValue: bytes, limit: longestValue)
    case .json: buffer.append(quoted: bytes, limit: longestValue)
    }
  }

  private mutating func value(nanoseconds: UInt64, in unit: DurationUnit) {
    let (steps, decimals) = unit.rounded(nanoseconds: nanoseconds)
    buffer.append(decimal: steps, decimals: decimals)
    guard format == .logfmt else { return }
    // Byte by byte: copying a literal is a function call.
    if unit == .milliseconds { buffer.append(UInt8(ascii: "m")) }
    buffer.append(UInt8(ascii: "s"))
  }
}

extension LogLine {
  /// Writes a value of swift-log's metadata: numbers and booleans as such, a `Duration` in `unit`, an array as one text
  /// with commas, a dictionary as a field for each of its keys, and everything else by its description.
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

  /// `key` as the name of a field: the program chooses its keys, but none may break a line.
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

  // A duration that is negative, or longer than 584 years, is shown as the nearest one that fits.
  private static func nanoseconds(of duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0 && attoseconds >= 0 else { return 0 }
    let (whole, overflows) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflows ? .max : whole &+ UInt64(attoseconds / 1_000_000_000)
  }
}

/// A unit in which log lines show durations: after the number in logfmt, after the key in JSON.
enum DurationUnit {
  case seconds
  case milliseconds

  /// What logfmt writes after the number.
  var symbol: StaticString {
    switch self {
    case .seconds: "s"
    case .milliseconds: "ms"
    }
  }

  /// `nanoseconds` as a whole number of steps, and how many decimals a step has: three significant digits, in
  /// milliseconds with microseconds as the smallest step.
  func rounded(nanoseconds: UInt64) -> (steps: UInt64, decimals: Int) {
    switch self {
    case .seconds: Self.rounded(nanoseconds, unit: 1_000_000_000)
    case .milliseconds: Self.rounded(nanoseconds, unit: 1_000_000)
    }
  }

  // Inlined, so that all divisors are constants, which need no division.
  @inline(__always)
  private static func rounded(_ nanoseconds: UInt64, unit: UInt64) -> (steps: UInt64, decimals: Int) {
    if nanoseconds < unit { return (rounded(nanoseconds, step: unit / 1000), 3) }
    if nanoseconds < 10 * unit { return (rounded(nanoseconds, step: unit / 100), 2) }
    if nanoseconds < 100 * unit { return (rounded(nanoseconds, step: unit / 10), 1) }
    return (rounded(nanoseconds, step: unit), 0)
  }

  @inline(__always)
  private static func rounded(_ nanoseconds: UInt64, step: UInt64) -> UInt64 {
    let (steps, rest) = nanoseconds.quotientAndRemainder(dividingBy: step)
    return rest >= step / 2 ? steps + 1 : steps
  }
}
