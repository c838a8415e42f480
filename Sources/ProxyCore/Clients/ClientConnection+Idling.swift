internal import Reactor

// Between two requests. The connection holds no buffer, and its task ends when no request comes soon.
extension ClientConnection {
  // A client that sends one request after the other finds the task still there. The memory of the tasks of idle clients is
  // free for busy ones.
  private static let timeToRest = Interval(.milliseconds(20))
  // Multiples of this are the moments at which connections go to rest.
  private static let restingMoments = Interval(.milliseconds(40))

  /// How a period of idleness ends.
  enum Idleness {
    /// The first byte of a request has come.
    case request
    /// None comes soon.
    case rest
    /// There will be none.
    case end
  }

  /// From now on there is time for the first byte of the next request.
  func beginIdleness() {
    let now = worker.loop.now
    idleSince = now
    idleDeadline = now + (isAdmitted ? worker.generation.timeouts.idle : worker.generation.timeouts.head)
    setDeadline(min(idleDeadline, restingMoment(after: now)))
  }

  /// When a connection that is idle from `now` on goes to rest: not too early, and together with others, so that the
  /// loop wakes up once for all of them.
  private func restingMoment(after now: Instant) -> Instant {
    (now + Self.timeToRest).roundedUp(to: Self.restingMoments)
  }

  /// Waits for the first byte of a request.
  func idle() async -> Idleness {
    while input == nil {
      if isAborted { return .end }
      if isEnding, requests > 0 || !stream.isReadable {
        // A request that comes too late must not destroy the response before it.
        if stream.isReadable { await closeGently() }
        return .end
      }
      guard stream.isReadable else {
        if isOverdue { return worker.loop.now < idleDeadline ? .rest : .end }
        await wakeup.wait()
        continue
      }
      guard receiveFirstBytes() else { return .end }
    }
    isIdle = false
    return .request
  }

  /// Waits on without a task.
  func rest() {
    setDeadline(idleDeadline)
    wakeup.wait { [unowned self] in
      // The kernel also reports that a new socket is writable.
      guard stream.isReadable || isOverdue || isAborted || isEnding else { return rest() }
      worker.loop.start { [self] in
        // Events other than a request do not extend the time that is left.
        if !isOverdue { setDeadline(min(idleDeadline, restingMoment(after: worker.loop.now))) }
        await serve()
      }
    }
  }

  /// Whether it has been idle since `moment` at least, and may be closed to make room for another connection.
  func isIdle(since moment: Instant) -> Bool { isIdle && idleSince <= moment && input == nil }
}
