/// What is logged, and how.
public struct LogSettings: Sendable, Hashable {
  /// The form of a line.
  public enum Format: String, Sendable, CaseIterable {
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
  public var format: Format
  /// The least important lines that are still written.
  public var level: Level
  /// Whether every request gets a line.
  public var access: Bool

  /// Settings of these parts.
  public init(format: Format = .auto, level: Level = .info, access: Bool = true) {
    self.format = format
    self.level = level
    self.access = access
  }
}

extension LogSettings {
  /// Reads the section `log`.
  mutating func read(_ section: Section) {
    section.read("format", .choice(), into: &format)
    section.read("level", .choice(), into: &level)
    section.read("access", .onOff, into: &access)
  }
}
