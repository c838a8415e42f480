public import Logging

/// Writes what is logged through swift-log into the same sink, and in the same form, as the access log.
///
/// The message is the event, a word such as `token`; its details are metadata. Fields of ``LogField`` come first, in
/// their order; other keys follow, sorted. The level is shown unless it is `info`. Numbers and durations keep their
/// type if they are given as ``Logging/Logger/MetadataValue/stringConvertible(_:)`` with an integer, a `Double`, a
/// `Bool` or a `Duration`.
public struct EventLogHandler: LogHandler {
  /// Fields of every line of this handler; the fields of a line itself take precedence.
  public var metadata: Logger.Metadata = [:]
  /// Lines below this level are not written: that of the style, unless the logger was given another one.
  public var logLevel: Logger.Level {
    get { ownLevel ?? style.level }
    set { ownLevel = newValue }
  }
  /// Called for metadata at every line; the handler's own metadata takes precedence.
  public var metadataProvider: Logger.MetadataProvider?

  // The line itself writes these, not the metadata.
  private static let reserved: Set<LogField> = [.time, .level, .event]

  private let sink: LogSink
  private let style: LogStyle
  private var ownLevel: Logger.Level?
  private let longestValue: Int
  private let now: @Sendable () -> UInt64

  /// A handler that writes to `sink`. `now` returns the time in nanoseconds since 1970-01-01T00:00:00Z.
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
      // A key whose cleaned name is that of a field must not pass for that field.
      line.field(named: LogField(named: name) == nil ? name : name + "_", value, durationsIn: .milliseconds)
    }
    line.end()
    sink.write(line.bytes)
  }
}
