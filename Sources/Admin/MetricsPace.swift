internal import Reactor

// Sendable because it is used on its loop's thread only.
/// Writes the metrics for those who ask, without taking more than a tenth of the loop's time for it: the loop has requests of
/// the proxy to serve, and with many routes the metrics are long.
///
/// A request never gets metrics from before it arrived. It waits for its turn, and all that wait get the same text.
final class MetricsPace: @unchecked Sendable {
  private let loop: EventLoop
  private let clock: () -> Instant
  private let write: () -> [UInt8]
  private let timer = LoopTimer()
  private var waiting: [Wakeup] = []
  /// How many requests have yet to get their metrics.
  private(set) var pending = 0
  private var written = 0
  private var last: [UInt8] = []
  private var next = Instant(nanoseconds: 0)

  init(on loop: EventLoop, clock: @escaping () -> Instant = { .now }, write: @escaping () -> [UInt8]) {
    self.loop = loop
    self.clock = clock
    self.write = write
    timer.action = { [unowned self] in
      let woken = waiting
      waiting = []
      for wakeup in woken { wakeup.wake() }
    }
  }

  /// The metrics as of now, or of a moment that is still to come.
  func metrics() async -> [UInt8] {
    let arrived = written
    pending += 1
    defer {
      pending -= 1
      // Until the next request it would only take up memory.
      if pending == 0 { last = [] }
    }
    while written == arrived, clock() < next {
      let wakeup = Wakeup(on: loop)
      waiting.append(wakeup)
      loop.set(timer, to: next)
      await wakeup.wait()
    }
    if written == arrived { writeNow() }
    return last
  }

  private func writeNow() {
    let begun = clock()
    last = write()
    written += 1
    let end = clock()
    next = end + .nanoseconds(Int64(clamping: (end - begun) * 9))
  }
}
