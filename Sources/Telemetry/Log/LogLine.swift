/// A log line that is being written, at the end of those that wait to be handed over.
///
/// Fields follow in the order in which ``LogField`` declares them, each at most once. Both formats are written by the
/// same calls, without an allocation once the memory is there. A value longer than the limit is cut and ends in an
/// ellipsis.
public struct LogLine: ~Copyable {
  private let format: LogFormat
  private let longestValue: Int
  private var buffer: LineBuffer
  private var timestamp = Timestamp()
  private var last = LogField.time

  init(format: LogFormat, capacity: Int, longestValue: Int) {
    self.format = format
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
    self.field(named: field.rawValue, bytes)
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
    self.field(named: field.rawValue, number)
  }

  /// Writes `number`, which is not negative: how many there are of something, or a code.
  public mutating func field(_ field: LogField, _ number: Int) {
    self.field(field, UInt64(number))
  }

  /// Writes a duration in the unit that belongs to the field: `total=12.9ms`, or `"total_ms":12.9`.
  public mutating func field(_ field: LogField, nanoseconds: UInt64) {
    advance(to: field)
    self.field(named: field.rawValue, nanoseconds: nanoseconds, in: field.durationUnit)
  }

  private mutating func advance(to field: LogField) {
    assert(last.precedes(field), "the field \(field.rawValue) is out of the order in which LogField declares them")
    last = field
  }
}

// For names that are not in LogField; the caller makes sure that they are names.
extension LogLine {
  /// Writes `bytes` under `name`.
  mutating func field(named name: String, _ bytes: Span<UInt8>) {
    key(name)
    switch format {
    case .logfmt: buffer.append(logfmtValue: bytes, limit: longestValue)
    case .json: buffer.append(quoted: bytes, limit: longestValue)
    }
  }

  /// Writes `number` under `name`.
  mutating func field(named name: String, _ number: UInt64) {
    key(name)
    buffer.append(decimal: number)
  }

  /// Writes under `name` what both formats take as it is: a number, true or false.
  mutating func field(named name: String, verbatim text: String) {
    key(name)
    buffer.append(text)
  }

  /// Writes a duration under `name`, in `unit`.
  mutating func field(named name: String, nanoseconds: UInt64, in unit: DurationUnit) {
    let (steps, decimals) = unit.rounded(nanoseconds: nanoseconds)
    switch format {
    case .logfmt:
      key(name)
      buffer.append(decimal: steps, decimals: decimals)
      buffer.append(unit.symbol)
    case .json:
      key(name, unit: unit)
      buffer.append(decimal: steps, decimals: decimals)
    }
  }

  private mutating func key(_ name: String, unit: DurationUnit? = nil) {
    switch format {
    case .logfmt:
      buffer.append(UInt8(ascii: " "))
      buffer.append(name)
      buffer.append(UInt8(ascii: "="))
    case .json:
      buffer.append(",\"")
      buffer.append(name)
      if let unit {
        buffer.append(UInt8(ascii: "_"))
        buffer.append(unit.symbol)
      }
      buffer.append("\":")
    }
  }
}
