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
