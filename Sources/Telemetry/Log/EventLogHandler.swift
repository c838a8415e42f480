public import Logging

/// Writes what is logged through swift-log into the same sink, and in the same form, as the access log.
///
/// The message is the event, a word such as `token`; what there is to say about it is metadata. Fields of ``LogField``
/// come in their order, other keys behind them, sorted. The level is shown where it is not `info`. Numbers and
/// durations keep their type when they are given as ``Logging/Logger/MetadataValue/stringConvertible(_:)`` with an
/// integer, a `Double`, a `Bool` or a `Duration`.
public struct EventLogHandler: LogHandler {
  /// What every line of this handler carries; what a line says itself goes before.
  public var metadata: Logger.Metadata = [:]
  /// Lines below this level are not written: that of the style, unless the logger was given another one.
  public var logLevel: Logger.Level {
    get { ownLevel ?? style.level }
    set { ownLevel = newValue }
  }
  /// Asked for metadata at every line; what the handler carries goes before.
  public var metadataProvider: Logger.MetadataProvider?

  // Said by the line itself, and not by metadata.
  private static let reserved: Set<LogField> = [.time, .level, .event]

  private let sink: LogSink
  private let style: LogStyle
  private var ownLevel: Logger.Level?
  private let longestValue: Int
  private let now: @Sendable () -> UInt64

  /// A handler that writes to `sink`. `now` tells the time in nanoseconds since 1970-01-01T00:00:00Z.
  public init(
    sink: LogSink, style: LogStyle, longestValue: Int = 4096,
    now: @escaping @Sendable () -> UInt64 = WallClock.now
  ) {
    self.sink = sink
    self.style = style
    self.longestValue = longestValue
    self.now = now
  }

  /// The metadata that every line carries under `key`.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one line.
  public func log(event: LogEvent) {
    var all = metadataProvider?.get() ?? [:]
    all.merge(metadata) { $1 }
    all.merge(event.metadata ?? [:]) { $1 }
    if let error = event.error, all[LogField.error.name] == nil { all[LogField.error.name] = "\(error)" }

    var line = LogLine(format: style.format, capacity: 512, longestValue: longestValue)
    line.begin(at: now())
    if event.level != .info { line.field(.level, event.level.rawValue) }
    line.field(.event, event.message.description)
    for field in LogField.allCases where !Self.reserved.contains(field) {
      if let value = all.removeValue(forKey: field.name) {
        line.field(named: field.name, value, durationsIn: field.durationUnit)
      }
    }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      let name = LogLine.name(for: key)
      // What looks like a field of LogField by now only says so of itself.
      line.field(named: LogField(named: name) == nil ? name : name + "_", value, durationsIn: .milliseconds)
    }
    line.end()
    sink.write(line.bytes)
  }
}
