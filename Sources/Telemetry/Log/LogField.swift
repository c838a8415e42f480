/// The fields of log lines: each name once, in the order in which a line shows them.
public enum LogField: Int, CaseIterable, Sendable {
  case time
  case level
  case event
  case route
  case credentials
  case audience
  case scopes
  case reason
  case result
  case secret
  case lifetime
  case method
  case host
  case path
  case upgrade
  case status
  case sent
  case received
  case queued
  case token
  case throttled
  case withoutToken
  case connect
  case firstByte
  case total
  case took
  case fetchedToday
  case upstream
  case endpoint
  case replayed
  case client
  case caller
  case error
  case detail
  case hint

  private static let names = allCases.map { field in
    // As in proxy.conf and in metrics: words with underscores between them.
    "\(field)".map { $0.isUppercase ? "_\($0.lowercased())" : String($0) }.joined()
  }

  /// What it is called in a line.
  var name: String { Self.names[rawValue] }

  /// The field of that name.
  init?(named name: String) {
    guard let index = Self.names.firstIndex(of: name) else { return nil }
    self = Self.allCases[index]
  }

  /// The unit in which durations of this field are written.
  var durationUnit: DurationUnit {
    self == .lifetime ? .seconds : .milliseconds
  }

  /// Whether a line shows this field before `other`.
  func precedes(_ other: LogField) -> Bool {
    rawValue < other.rawValue
  }
}

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

/// How log lines are written.
public enum LogFormat: Sendable {
  /// `key=value` pairs for people, and for the tools that read them: a value that is not plain printable ASCII, or
  /// holds a space, an equals sign, a quotation mark or a backslash, is written as a JSON string.
  case logfmt
  /// One JSON object a line.
  case json
}

extension LogFormat {
  /// What stands before the value of the field `name`, which is not the first of its line; of a duration, its unit too.
  func key(_ name: String, unit: DurationUnit? = nil) -> String {
    switch self {
    case .logfmt: " \(name)="
    case .json: ",\"\(name)\(unit.map { "_\($0.symbol)" } ?? "")\":"
    }
  }
}

/// The access log of one event loop: a line for every request.
///
/// Lines are collected until ``flush()``, which a loop calls when it has done what there was to do, or until there are
/// many of them. An access log belongs to its loop: it is not `Sendable`, and nothing in it is synchronised.
public final class AccessLog {
  // Handed over without waiting for the loop, so that a long turn of the loop does not collect without bound.
  private static var batch: Int { 64 * 1024 }

  private let sink: LogSink
  private var line: LogLine

  /// An access log that writes to `sink`, and shows at most `longestValue` bytes of a value that a client sent.
  public init(sink: LogSink, format: LogFormat, longestValue: Int = 4096) {
    self.sink = sink
    line = LogLine(format: format, capacity: 2 * Self.batch, longestValue: longestValue)
  }

  // Lines that were written belong to the sink, even if their loop ends without having flushed them.
  deinit { flush() }

  /// Writes one line: its time (nanoseconds since 1970-01-01T00:00:00Z), `event`, and the fields that `fields` writes.
  public func write(_ event: StaticString = "request", at time: UInt64, _ fields: (inout LogLine) -> Void) {
    if line.write(event, at: time, fields) >= Self.batch { flush() }
  }

  /// Hands the lines that were written to the sink. Never blocks.
  public func flush() {
    guard !line.bytes.isEmpty else { return }
    sink.write(line.bytes)
    line.removeAll()
  }
}
