/// A log line that is being written, at the end of those that wait to be handed over.
///
/// Fields follow in the order in which ``LogField`` declares them, each at most once. Both formats are written by the
/// same calls, without an allocation once the memory is there. A value longer than the limit is cut and ends in an
/// ellipsis.
public struct LogLine: ~Copyable {
  private let format: LogFormat
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

  /// The lines that have been written since the last ``removeAll()``.
  var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { buffer.bytes }
  }

  /// Forgets all lines, and keeps their memory.
  mutating func removeAll() {
    buffer.removeAll()
  }

  /// Writes a whole line, and returns how many bytes there are now.
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

  /// Writes `number`: how many there are of something, or a code.
  public mutating func field(_ field: LogField, _ number: UInt64) {
    advance(to: field)
    buffer.append(key: keys.key(of: field))
    buffer.append(decimal: number)
  }

  /// Writes `number`, which is not negative: how many there are of something, or a code.
  public mutating func field(_ field: LogField, _ number: Int) {
    self.field(field, UInt64(number))
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

// For names that are not in LogField; the caller makes sure that they are names.
extension LogLine {
  /// Writes `bytes` under `name`.
  mutating func field(named name: String, _ bytes: Span<UInt8>) {
    buffer.append(format.key(name))
    value(bytes)
  }

  /// Writes under `name` what both formats take as it is: a number, true or false.
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
    if format == .logfmt { buffer.append(unit.symbol) }
  }
}
