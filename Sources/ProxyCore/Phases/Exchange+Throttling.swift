internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor
internal import Telemetry

extension Exchange {
  /// Whether a request that was throttled may be sent again at all. One that got 503 may have been begun, so that its
  /// method has to allow for that.
  func mayWaitOut(_ throttling: Throttling) -> Bool {
    guard replayedAfter.count(where: { $0 != 401 }) < throttling.attempts else { return false }
    return answerHead.status == 429 || head.methodKind.isIdempotent
  }

  /// Waits for as long as the answer asks to; false where it does not say that, or asks for more than the route allows,
  /// or the program begins to stop meanwhile.
  func waitOutThrottling(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    guard let throttling = route.policy.throttling, let input = answerInput,
      let seconds = answerHead.retryDelay(input.readableBytes, now: WallClock.now() / 1_000_000_000),
      .seconds(seconds) <= throttling.wait
    else { return false }
    let began = worker.loop.now
    let end = began + .seconds(seconds)
    guard end < connection.finalDeadline else { return false }
    let metrics = worker.metrics.routes[route.index]
    metrics.waitingForThrottling.add()
    defer {
      metrics.waitingForThrottling.subtract()
      clock.throttled += worker.loop.now - began
    }
    connection.setDeadline(end)
    while worker.loop.now < end {
      if worker.isDraining { return false }
      try check(overdue: .outOfTime(route))
      await connection.wakeup.wait()
    }
    // That time is over was the point of waiting.
    connection.setDeadline(.never)
    try check(overdue: .outOfTime(route))
    return true
  }
}
