internal import Reactor

// Sendable because it is used on its loop's thread only.
/// Writes the metrics without taking more than a tenth of the loop's time for it: the loop has requests of the proxy to serve,
/// and with many routes the metrics are long.
///
/// A request never gets metrics from before it arrived. It waits for its turn, and all that wait get the same text.
final class MetricsPace: @unchecked Sendable {
  private let loop: EventLoop
  private let clock: () -> Instant
  private let write: () -> [UInt8]
  private let timer = LoopTimer()
  private var last: (text: [UInt8], begun: Instant)?
  private var next = Instant(nanoseconds: 0)

  init(on loop: EventLoop, clock: @escaping () -> Instant = { .now }, write: @escaping () -> [UInt8]) {
    self.loop = loop
    self.clock = clock
    self.write = write
    timer.action = { [unowned self] in last = nil }
  }

  /// Until when a request that arrived at `arrival` has to wait; nil if not at all.
  func delay(since arrival: Instant) -> Instant? {
    if let last, last.begun >= arrival { return nil }
    return clock() < next ? next : nil
  }

  /// The metrics, when ``delay(since:)`` has said that it need not wait.
  func metrics() -> [UInt8] {
    let begun = clock()
    if let last, begun < next { return last.text }
    let text = write()
    let end = clock()
    next = end + .nanoseconds(Int64(clamping: (end - begun) * 9))
    last = (text, begun)
    // From then on they are written anew.
    loop.set(timer, to: next)
    return text
  }

  func stop() {
    loop.retire(timer)
    last = nil
  }
}
