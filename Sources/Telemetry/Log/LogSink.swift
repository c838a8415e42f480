import Glibc

/// Where log lines go: a descriptor, written by one thread, so that no event loop ever waits for who reads it.
///
/// Lines that cannot be written at once wait in memory, up to a limit. Beyond it whole lines are dropped, and counted.
/// While there is little to write, a line is written at once; otherwise many at a time, every few milliseconds.
public final class LogSink: Sendable {
  let queue: LogQueue

  /// A sink that writes to `descriptor`, which stays open and the caller's, and lets up to `pendingLimit` bytes wait.
  public init(descriptor: Int32, pendingLimit: Int = 4 * 1024 * 1024) {
    queue = LogQueue(limit: pendingLimit)
    LogWriter.start(queue, descriptor: descriptor)
  }

  deinit { queue.close() }

  /// Takes whole lines, each ending in a line feed. Those for which there is no room are dropped, the last ones first.
  ///
  /// May be called from any thread, and never waits for the descriptor.
  public func write(_ lines: Span<UInt8>) {
    queue.append(lines)
  }

  /// How many lines have been dropped: there was no room, nobody reads any more, or the sink had been finished.
  public var droppedLines: UInt64 { queue.droppedLines }

  /// Waits until everything has been written, for `limit` at most; what is written to the sink later is dropped.
  ///
  /// Returns whether all was written in time; what was not counts as dropped.
  @discardableResult
  public func finish(within limit: Duration) -> Bool {
    queue.close()
    let (seconds, attoseconds) = limit.components
    return queue.waitForEnd(milliseconds: max(0, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)))
  }
}
