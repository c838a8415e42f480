public import Logging
internal import Synchronization

/// The log of everything except requests. It accepts declared events with declared fields only.
public struct EventLog: Sendable {
  /// The fields of a line, besides its event.
  public typealias Fields = [LogField: Value]

  /// The value of a field: most are text, and can be written as a string literal.
  public enum Value: ExpressibleByStringInterpolation, Sendable {
    case text(String)
    case number(Int)
    case duration(Duration)

    /// Text.
    public init(stringLiteral text: String) { self = .text(text) }

    fileprivate var metadata: Logger.MetadataValue {
      switch self {
      case .text(let text): .string(text)
      case .number(let number): .stringConvertible(number)
      case .duration(let duration): .stringConvertible(duration)
      }
    }
  }

  /// Which lines are written; all copies of the log share it.
  public let threshold: LogThreshold
  private let logger: Logger

  /// A log that writes its lines through `logger`, at the level of `logger` and above, until ``threshold`` is changed.
  public init(_ logger: Logger) {
    threshold = LogThreshold(logger.logLevel)
    var logger = logger
    // Only the threshold decides; it can change while other threads write.
    logger.logLevel = .trace
    self.logger = logger
  }

  /// Writes a line about normal operation.
  public func info(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.info, event, fields) }

  /// Writes a line about normal operation that is rare enough to be noticed.
  public func notice(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.notice, event, fields) }

  /// Writes a line about something that needs attention.
  public func warning(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.warning, event, fields) }

  /// Writes a line about something that does not work.
  public func error(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.error, event, fields) }

  private func write(_ level: Logger.Level, _ event: EventKind, _ fields: () -> Fields) {
    guard threshold.includes(level) else { return }
    let fields = fields()
    assert(event.levels.contains(level), "EventKind does not declare the level \(level) for \(event)")
    assert(
      fields.keys.allSatisfy(event.fields.contains),
      "\(event) has fields that EventKind does not declare: \(fields.keys.filter { !event.fields.contains($0) })")
    let metadata = fields.map { (field, value) in (field.name, value.metadata) }
    logger.log(level: level, "\(event.rawValue)", metadata: Logger.Metadata(uniqueKeysWithValues: metadata))
  }
}

/// The lowest level that a log writes; it can be changed at any time and from any thread.
public final class LogThreshold: Sendable {
  private let rank: Atomic<Int>

  /// The level of `level`.
  public init(_ level: Logger.Level) { rank = Atomic(Self.rank(of: level)) }

  /// The name of the lowest level that is written: `info`.
  public var name: String {
    let rank = rank.load(ordering: .relaxed)
    return Logger.Level.allCases.first { Self.rank(of: $0) == rank }?.rawValue ?? ""
  }

  /// Writes lines of the level called `name` and above from now on; false if there is no such level.
  public func set(_ name: String) -> Bool {
    guard let level = Logger.Level(rawValue: name) else { return false }
    rank.store(Self.rank(of: level), ordering: .relaxed)
    return true
  }

  /// Whether lines of `level` are written.
  func includes(_ level: Logger.Level) -> Bool { Self.rank(of: level) >= rank.load(ordering: .relaxed) }

  private static func rank(of level: Logger.Level) -> Int {
    switch level {
    case .trace: 0
    case .debug: 1
    case .info: 2
    case .notice: 3
    case .warning: 4
    case .error: 5
    case .critical: 6
    }
  }
}

/// The access log of one event loop: a line for every request.
///
/// Lines are collected until ``flush()``, which a loop calls at the end of each turn, or until there are many of them.
/// An access log belongs to its loop: it is not `Sendable`, and nothing in it is synchronised.
public final class AccessLog {
  // Lines beyond this many bytes go to the sink at once, so that a long turn of the loop does not collect without bound.
  private static var batch: Int { 64 * 1024 }

  private let sink: LogSink
  private let style: LogStyle
  private let longestValue: Int
  private var line: LogLine
  // The position of the last sample on a circle of 2^64 steps.
  private var samplePoint: UInt64 = 0

  /// An access log that writes to `sink`, and shows at most `longestValue` bytes of a value that a client sent.
  public init(sink: LogSink, style: LogStyle, longestValue: Int = 4096) {
    self.sink = sink
    self.style = style
    self.longestValue = longestValue
    line = Self.makeLine(style.format, longestValue)
  }

  private static func makeLine(_ format: LogFormat, _ longestValue: Int) -> LogLine {
    LogLine(format: format, capacity: 2 * batch, longestValue: longestValue)
  }

  // Lines that were written belong to the sink, even if their loop ends without flushing them.
  deinit { flush() }

  /// Writes one line: its time (nanoseconds since 1970-01-01T00:00:00Z), the event, and the fields that `fields`
  /// writes, as ``EventKind/request`` declares them.
  public func write(at time: UInt64, _ fields: (inout LogLine) -> Void) {
    if line.format != style.format { restyle() }
    if line.write("request", at: time, fields) >= Self.batch { flush() }
  }

  @inline(never) private func restyle() {
    flush()
    line = Self.makeLine(style.format, longestValue)
  }

  /// Whether the next request gets a line, if `millionths` of all requests do.
  ///
  /// Steps of the golden ratio go round the circle as evenly as possible, and never in time with a pattern of the requests.
  public func takesSample(millionths: UInt64) -> Bool {
    samplePoint &+= 0x9E37_79B9_7F4A_7C15
    return samplePoint / (UInt64.max / 1_000_000) < millionths
  }

  /// Hands the collected lines to the sink. Never blocks.
  public func flush() {
    guard !line.bytes.isEmpty else { return }
    sink.write(line.bytes)
    line.removeAll()
  }
}
