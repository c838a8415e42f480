internal import Telemetry

/// How often passwords were looked at, and what came of it.
struct PasswordMetrics: Sendable {
  private let right: Counter
  private let wrong: Counter
  private let limited: Counter
  private let busy: Counter

  init(_ registry: MetricsRegistry) {
    func counter(_ result: String) -> Counter {
      registry.counter(
        "m2m_proxy_password_checks_total",
        help: "Passwords of callers that were looked at (right, wrong), or not for their number (limited, busy).",
        labels: ["result": result])
    }
    right = counter("right")
    wrong = counter("wrong")
    limited = counter("limited")
    busy = counter("busy")
  }

  /// Counts a password that was looked at, or could not be.
  func count(_ verdict: PasswordVerdict) {
    switch verdict {
    case .right: right.increment()
    case .wrong: wrong.increment()
    case .tooManyGuesses: limited.increment()
    case .busy: busy.increment()
    }
  }

  /// Counts one that was not looked at, unless it was known already.
  func countUnlooked(_ verdict: PasswordVerdict) {
    switch verdict {
    case .right, .wrong: break
    case .tooManyGuesses, .busy: count(verdict)
    }
  }
}
