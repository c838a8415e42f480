/// What is logged, and how.
public struct LogSettings: Sendable, Hashable {
  /// The form of a line.
  public enum Form: String, Sendable, CaseIterable {
    /// The proxy chooses; that is logfmt.
    case auto
    /// `key=value` pairs.
    case logfmt
    /// One JSON object a line.
    case json
  }

  /// The least important lines that are still written.
  public enum Level: String, Sendable, CaseIterable {
    /// From the least important to the most.
    case debug, info, notice, warning, error
  }

  /// The form of a line.
  public var format: Form
  /// The least important lines that are still written.
  public var level: Level
  /// Whether every request gets a line.
  public var access: Bool

  /// Settings of these parts.
  public init(format: Form = .auto, level: Level = .info, access: Bool = true) {
    self.format = format
    self.level = level
    self.access = access
  }
}

extension LogSettings {
  /// The section `log`.
  static let group = SettingGroup("log", prefix: "log.", "What is logged, and how.", fields.map(\.declaration))

  static let fields: [Field<LogSettings>] = [
    Field("format", \.format, .choice(), in: LogSettings(), "the form of a line; `auto` is logfmt"),
    Field("level", \.level, .choice(), in: LogSettings(), "the least important lines that are written"),
    Field("access", \.access, .onOff, in: LogSettings(), "a line for each request"),
  ]
}
