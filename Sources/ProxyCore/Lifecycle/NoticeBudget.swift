internal import Reactor

/// How often something is done in a while that clients can bring about as often as they like: a line of the log, a suggestion.
struct NoticeBudget {
  private let lines: Int
  private let interval: Duration
  private var used = 0
  private var end = Instant(nanoseconds: 0)

  init(lines: Int, per interval: Duration) {
    self.lines = lines
    self.interval = interval
  }

  /// Whether there is a line left at `now`, which is used then.
  mutating func spend(at now: Instant) -> Bool {
    if now >= end {
      end = now + interval
      used = 0
    }
    used += 1
    return used <= lines
  }
}
