import Foundation
import SeededRandom
import Telemetry
import Testing

@Suite("Timestamps") struct TimestampTests {
  @Test("times of day are written as Foundation writes them, from 1970 to 2554")
  func foundation() throws {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime]
    var generator = SplitMix(state: 1970)
    var seconds: [UInt64] = [0, 1, 59, 60, 86_399, 86_400, 18_446_744_072]
    // Around the leap days and the turns of years and centuries: the days whose dates are easily wrong.
    for day in ["1972-02-29", "2000-02-29", "2024-02-29", "2100-03-01", "2400-02-29", "1999-12-31", "2099-12-31"] {
      let midnight = UInt64(try #require(formatter.date(from: day + "T00:00:00Z")).timeIntervalSince1970)
      seconds += [midnight - 1, midnight, midnight + 86_399, midnight + 86_400]
    }
    seconds += (0..<3_000).map { _ in UInt64.random(in: 0...18_446_744_072, using: &generator) }
    // The same second again, and one that lies before: what is kept of a second must not outlive it.
    seconds += [1_000_000_000, 1_000_000_000, 999_999_999]
    let milliseconds = seconds.map { _ in UInt64.random(in: 0...999, using: &generator) }

    let bytes = try output { sink in
      let log = AccessLog(sink: sink, style: LogStyle(format: .logfmt))
      for (second, millisecond) in zip(seconds, milliseconds) {
        log.write(at: second * 1_000_000_000 + millisecond * 1_000_000 + 999_999) { _ in }
      }
      log.flush()
    }
    let lines = try lines(of: bytes)
    try #require(lines.count == seconds.count)
    for (line, (second, millisecond)) in zip(lines, zip(seconds, milliseconds)) {
      let date = formatter.string(from: Date(timeIntervalSince1970: Double(second))).dropLast()
      #expect(line == "time=\(date).\(String(format: "%03d", Int(millisecond)))Z event=request")
    }
  }

  @Test("the clock is that of the day")
  func clock() {
    #expect(abs(Double(WallClock.now()) / 1e9 - Date().timeIntervalSince1970) < 60)
  }
}
