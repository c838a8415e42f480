/// The fields of log lines: each name once, in the order in which a line shows them.
public enum LogField: String, CaseIterable, Sendable {
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
  case withoutToken = "without_token"
  case connect
  case firstByte = "first_byte"
  case total
  case took
  case fetchedToday = "fetched_today"
  case upstream
  case endpoint
  case replayed
  case client
  case caller
  case error
  case detail
  case hint

  /// The unit in which durations of this field are written.
  var durationUnit: DurationUnit {
    self == .lifetime ? .seconds : .milliseconds
  }

  /// Whether a line shows this field before `other`.
  func precedes(_ other: LogField) -> Bool {
    for field in Self.allCases where field == self || field == other { return field == self && field != other }
    return false
  }
}
