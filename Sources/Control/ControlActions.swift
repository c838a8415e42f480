internal import Encodings

/// The result of a command.
public struct ControlOutcome: Sendable, Equatable {
  /// The kind of result, by the status of the response. The commands choose their exit code by it.
  public enum Kind: Int, Sendable, CaseIterable {
    /// Done.
    case done = 200
    /// The command does not exist, or its parameters make no sense.
    case misused = 400
    /// The configuration file has problems; nothing was changed.
    case badFile = 422
    /// Something that the command needs cannot be obtained; nothing was changed.
    case unavailable = 500
    /// This program does not support the command.
    case unsupported = 501
    /// Unhealthy: about to stop, or not serving.
    case unwell = 503
  }

  /// The kind of result.
  public var kind: Kind
  /// Text for people: lines, without a line end after the last one.
  public var text: String

  /// An outcome of these parts.
  public init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }
}

/// The implementations of the commands. Each is called on the thread of the control socket's loop and must not block it.
public struct ControlActions: Sendable {
  /// The state of the process.
  public var status: @Sendable () async -> ControlStatus
  /// Whether it serves: waits at most this long for all event loops to respond.
  public var health: @Sendable (_ patience: Duration) async -> ControlOutcome
  /// Starts the drain, as SIGTERM does.
  public var drain: @Sendable () async -> ControlOutcome
  /// Changes the log level, which may be none, for some time or permanently.
  public var setLogLevel: @Sendable (_ level: String, _ duration: Duration?) async -> ControlOutcome
  /// Loads the configuration again.
  public var reload: @Sendable () async -> ControlOutcome = { .init(.unsupported, "This program cannot reload yet.") }
  /// Starts another process of this program in place of this one.
  public var upgrade: @Sendable (UpgradeRequest) async -> ControlOutcome = { _ in
    .init(.unsupported, "This program cannot upgrade.")
  }
  /// Opens the files of the log again.
  public var reopenLogs: @Sendable () async -> ControlOutcome = {
    .init(.unsupported, "This program has no log files to open again.")
  }
  /// Called for each command that changes something, with the user who sent it and the result.
  public var note: @Sendable (_ command: String, _ user: String, _ outcome: ControlOutcome) -> Void = { _, _, _ in }

  /// Actions of these parts; those that are not given are not supported.
  public init(
    status: @escaping @Sendable () async -> ControlStatus,
    health: @escaping @Sendable (_ patience: Duration) async -> ControlOutcome,
    drain: @escaping @Sendable () async -> ControlOutcome,
    setLogLevel: @escaping @Sendable (_ level: String, _ duration: Duration?) async -> ControlOutcome
  ) {
    self.status = status
    self.health = health
    self.drain = drain
    self.setLogLevel = setLogLevel
  }
}

/// What an upgrade is asked to do.
public struct UpgradeRequest: Sendable {
  /// The program to start; nil for the one at the path by which this process was started.
  public var binary: String?
  /// How long it has until it serves.
  public var patience = Duration.seconds(60)
  /// Whether root asks.
  public var isFromRoot: Bool

  /// How many milliseconds ``patience`` may have.
  static let range = 1...3_600_000

  /// A request for the program at its path.
  public init(isFromRoot: Bool = false) { self.isFromRoot = isFromRoot }
}

/// How a process is, for `m2m-proxy status`.
public struct ControlStatus: Sendable {
  /// The value of a row.
  public enum Value: Sendable, Equatable {
    case text(String)
    case number(Int)
    case truth(Bool)
    case texts([String])
  }

  /// A name for JSON, a label for people, and the value; with a text for people if it differs from the value.
  public struct Row: Sendable {
    let name: String
    let value: Value
    let label: String?
    let shown: String?

    /// - Parameter label: the label for people; nil if only programs read the row.
    /// - Parameter shown: the text that people see instead of the value.
    public init(_ name: String, _ value: Value, label: String? = nil, shown: String? = nil) {
      self.name = name
      self.value = value
      self.label = label
      self.shown = shown
    }
  }

  /// The rows, in the order in which they are shown.
  public var rows: [Row]

  /// A status of these rows.
  public init(_ rows: [Row]) { self.rows = rows }

  /// The status as one JSON object on one line.
  public var json: String {
    "{" + rows.map { "\(JSONText.quoted($0.name)):\(Self.json($0.value))" }.joined(separator: ",") + "}"
  }

  /// A line for each row with a label, and for each text of a list.
  public var text: String {
    let width = (rows.compactMap(\.label?.count).max() ?? 0) + 2
    return rows.flatMap { row -> [String] in
      guard let label = row.label else { return [] }
      let lines = row.shown.map { [$0] } ?? Self.lines(row.value)
      return lines.map { label + String(repeating: " ", count: width - label.count) + $0 }
    }.joined(separator: "\n")
  }

  private static func json(_ value: Value) -> String {
    switch value {
    case .text(let text): JSONText.quoted(text)
    case .number(let number): String(number)
    case .truth(let truth): truth ? "true" : "false"
    case .texts(let texts): "[\(texts.map(JSONText.quoted).joined(separator: ","))]"
    }
  }

  private static func lines(_ value: Value) -> [String] {
    switch value {
    case .text(let text): [text]
    case .number(let number): [String(number)]
    case .truth(let truth): [truth ? "yes" : "no"]
    case .texts(let texts): texts
    }
  }
}
