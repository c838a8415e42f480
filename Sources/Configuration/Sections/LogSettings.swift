internal import Encodings
internal import Glibc

/// What is logged, in which form, and where.
public struct LogSettings: Sendable, Hashable {
  /// The form of a line.
  public enum Form: String, Sendable, CaseIterable {
    /// The proxy chooses; currently logfmt.
    case auto
    /// `key=value` pairs.
    case logfmt
    /// One JSON object per line.
    case json
  }

  /// The lowest level that is still written.
  public enum Level: String, Sendable, CaseIterable {
    /// From the least important to the most.
    case debug, info, notice, warning, error
  }

  /// The form of a line.
  public var format: Form
  /// The lowest level that is still written.
  public var level: Level
  /// Which requests are logged, unless their route has its own setting.
  public var access: AccessLogging
  /// The file that lines go to; nil for standard output, or syslog.
  public var file: String?
  /// The syslog that lines go to; nil for standard output, or a file.
  public var syslog: SyslogSettings?

  /// Settings of these parts, for standard output.
  public init(format: Form = .auto, level: Level = .info, access: AccessLogging = .on) {
    self.format = format
    self.level = level
    self.access = access
  }
}

extension LogSettings {
  /// The section `log`.
  static let group = SettingGroup(
    "log", prefix: "log.", "What is logged, how, and where to.",
    fields.map(\.declaration) + [fileDeclared.declaration, SyslogSettings.declaration])

  private static let fields: [Field<LogSettings>] = [
    Field("format", \.format, .choice(), in: LogSettings(), "the form of a line; `auto` is logfmt"),
    Field("level", \.level, .choice(), in: LogSettings(), "the lowest level of lines that are written"),
    Field(
      "access", \.access, .accessLogging, in: LogSettings(),
      "which requests get a line; also `access_log` of a route; see [The access log](#the-access-log)"),
  ]

  private static let fileDeclared = Declared(
    "file", .line("the path of a file", .text("path")), default: .described("standard output"),
    "the file that lines go to; see [Where the log goes](#where-the-log-goes)")

  /// Reads the section `log`.
  static func read(_ section: Section, into settings: inout LogSettings) {
    section.read(fields, into: &settings)
    let file = section[fileDeclared]
    if let file, let text = file.text(fileDeclared.format.expected), let written = file.value(fileDeclared.format) {
      let path = file.findings.resolve(path: written)
      if let complaint = complaint(about: path) { file.warn("names \(text.shownPath), which \(complaint)") }
      settings.file = path
    }
    settings.syslog = section[SyslogSettings.declaration].flatMap(SyslogSettings.read)
    if let file, settings.syslog != nil {
      file.complain("is for lines that go to a file, and log.syslog sends them elsewhere; leave one of them out")
    }
  }

  /// Why the file cannot be opened on this machine, as far as that is known without trying.
  private static func complaint(about path: String) -> String? {
    var status = stat()
    if unsafe lstat(path, &status) == 0 {
      return status.st_mode & S_IFMT == S_IFREG ? nil : "is not a regular file"
    }
    let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard unsafe stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      return "is in a directory that does not exist"
    }
    return nil
  }
}

/// Which requests are logged in the access log. All but `off` log every failed request.
public enum AccessLogging: Sendable, Hashable {
  /// All of them.
  case on
  /// None.
  case off
  /// Failed requests.
  case errors
  /// Requests that took at least this long.
  case slow(Duration)
  /// This many of a million.
  case sample(millionths: Int)
}

extension Format<AccessLogging> {
  /// `on`, `off`, `errors`, `slow:500ms` or `sample:1%`.
  static var accessLogging: Self {
    let slow = "slow:(\(quantityPattern(durationRange, durationUnits)))"
    let sample = #"sample:(?!0(\.0+)?%)(0|[1-9][0-9]?)(\.[0-9]{1,4})?%"#
    return Format(
      "on, off, errors, slow:500ms (any duration) or sample:1% (any share)",
      .either([
        .onOff, .word("errors"), .text("`slow:500ms`", pattern: slow), .text("`sample:1%`", pattern: sample),
      ]),
      written: { $0.text }
    ) { text throws(Refusal) in
      if text == "errors" { return .errors }
      if text.hasPrefix("slow:") {
        do throws(Refusal) {
          return .slow(try Format<Duration>.duration.read(String(text.dropFirst("slow:".count))))
        } catch {
          throw Refusal(expected: "slow: and a duration from 1ms to 24h, such as slow:500ms", error.hint)
        }
      }
      if text.hasPrefix("sample:") { return try share(text.dropFirst("sample:".count)) }
      if text == "slow" { throw Refusal("add a duration: slow:500ms") }
      if text == "sample" { throw Refusal("add a share: sample:1%") }
      return try Format<Bool>.onOff.read(text) ? .on : .off
    }
  }

  /// A percentage between 0% and 100%, with up to four decimals.
  private static func share(_ text: Substring) throws(Refusal) -> AccessLogging {
    let refusal = Refusal(expected: "sample: and a share of more than 0% and less than 100%, such as sample:0.5%")
    guard text.hasSuffix("%") else { throw Refusal(expected: refusal.expected, "add the unit: %") }
    let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
    guard let first = parts.first, let percent = wholeNumber(first), percent < 100, parts.count <= 2 else {
      throw refusal
    }
    var millionths = percent * 10_000
    if parts.count == 2 {
      let decimals = parts[1]
      guard (1...4).contains(decimals.utf8.count), decimals.utf8.allSatisfy(\.isDigit) else { throw refusal }
      millionths += Int(decimals + String(repeating: "0", count: 4 - decimals.utf8.count)) ?? 0
    }
    guard millionths > 0 else { throw refusal }
    return .sample(millionths: millionths)
  }
}

extension AccessLogging {
  /// The form in proxy.conf.
  fileprivate var text: String {
    switch self {
    case .on: return "on"
    case .off: return "off"
    case .errors: return "errors"
    case .slow(let duration): return "slow:\(durationText(duration))"
    case .sample(let millionths):
      let (percent, rest) = millionths.quotientAndRemainder(dividingBy: 10_000)
      guard rest > 0 else { return "sample:\(percent)%" }
      var decimals = String(String(10_000 + rest).dropFirst())
      while decimals.hasSuffix("0") { decimals.removeLast() }
      return "sample:\(percent).\(decimals)%"
    }
  }
}

/// How lines are sent to syslog.
public struct SyslogSettings: Sendable, Hashable {
  /// The facilities of RFC 5424 that a program like this one may have.
  public enum Facility: String, Sendable, CaseIterable {
    /// Each with its number.
    case user, daemon, local0, local1, local2, local3, local4, local5, local6, local7

    /// Its number (RFC 5424 section 6.2.1).
    public var number: Int {
      switch self {
      case .user: 1
      case .daemon: 3
      default: 16 + (Int(rawValue.suffix(1)) ?? 0)
      }
    }
  }

  /// The facility of each message.
  public var facility = Facility.daemon
  /// The name of the program in each message.
  public var tag = "m2m-proxy"
  /// The path of the Unix socket.
  public var socket = "/dev/log"

  /// The defaults.
  public init() {}
}

extension SyslogSettings {
  static let declaration = SettingDeclaration(
    "syslog", .either([.onOff, .section(group)]), default: .value("off"),
    "whether lines go to syslog (RFC 5424), or how; see [Where the log goes](#where-the-log-goes)")

  /// The mapping `log.syslog`.
  static let group = SettingGroup(
    "syslog", prefix: "log.syslog.", "How lines are sent to syslog.", fields.map(\.declaration))

  private static let fields: [Field<SyslogSettings>] = [
    Field("facility", \.facility, .choice(), in: SyslogSettings(), "the facility of each message"),
    Field("tag", \.tag, .syslogTag, in: SyslogSettings(), "the name of the program in each message"),
    Field(
      "socket", \.socket, .line("the path of a Unix socket", .text("path")), in: SyslogSettings(),
      "the path of the Unix socket, which takes datagrams or a stream"),
  ]

  /// Reads `log.syslog`; nil for `off`, and after a problem was reported.
  static func read(_ setting: Setting) -> SyslogSettings? {
    if setting.written != nil { return setting.value(.onOff) == true ? SyslogSettings() : nil }
    let expected = "on, off, or a mapping with facility, tag and socket"
    return setting.section(of: group, expected: expected) { section in
      var settings = SyslogSettings()
      section.read(fields, into: &settings)
      settings.socket = setting.findings.resolve(path: settings.socket)
      return settings
    }
  }
}

extension Format<String> {
  /// The name of a program in syslog's messages (RFC 5424 section 6.2.5).
  fileprivate static var syslogTag: Self {
    Format("a name of 1 to 48 printable ASCII characters", .text("name", pattern: "[!-~]{1,48}")) {
      text throws(Refusal) in
      guard (1...48).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
        throw Refusal()
      }
      return text
    }
  }
}
