import Locks
import Logging
import Reactor
import Telemetry
import Testing

@testable import ProxyCore

@Suite("Log lines that clients cause") struct NoticeBudgetTests {
  @Test("are limited per interval")
  func budget() {
    var budget = NoticeBudget(lines: 2, per: .seconds(10))
    let start = Instant(nanoseconds: 1)
    let inTheMiddle = start + .seconds(9)
    let afterwards = start + .seconds(10)
    #expect([start, start, start, inTheMiddle].map { budget.spend(at: $0) } == [true, true, false, false])
    #expect([afterwards, afterwards, afterwards].map { budget.spend(at: $0) } == [true, true, false])
  }

  /// Keeps what is logged.
  private struct Recorder: LogHandler {
    static let lines = Monitor([String]())
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      Self.lines.withLock { $0.append("\(event.level) \(event.message) \(fields.joined(separator: " "))") }
    }
  }

  @Test("each limit that is reached has a line a second at most, which counts the times before it")
  func limits() {
    let clock = Monitor(Instant(nanoseconds: 1))
    let notices = LimitNotices(EventLog(Logger(label: "test") { _ in Recorder() }), now: { clock.withLock { $0 } })
    for _ in 0..<3 { notices.reached(.connections) }
    notices.reached(.memory)
    clock.withLock { $0 = $0 + .milliseconds(999) }
    notices.reached(.connections)
    clock.withLock { $0 = $0 + .milliseconds(1) }
    for _ in 0..<2 { notices.reached(.connections) }
    #expect(
      Recorder.lines.withLock { $0 } == [
        "notice limit count=1 limit=connections", "notice limit count=1 limit=memory",
        "notice limit count=4 limit=connections",
      ])
  }
}
