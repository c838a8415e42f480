import Glibc
public import Logging
import Synchronization

/// Where log lines go: an output, written by one thread, so that no event loop ever waits for who reads it.
///
/// Lines that cannot be written at once wait in memory, up to a limit. Beyond it whole lines are lost, and counted.
/// While there is little to write, a line is written at once; otherwise many at a time, every few milliseconds.
public final class LogSink: Sendable {
  let queue: LogQueue
  private let style: LogStyle?

  /// A sink that writes to `descriptor`, which stays open and the caller's, and lets up to `pendingLimit` bytes wait.
  ///
  /// - Parameter style: how lines about lost lines are written; nil where there shall be none.
  public init(descriptor: Int32, pendingLimit: Int = 4 * 1024 * 1024, style: LogStyle? = nil) {
    queue = LogQueue(limit: pendingLimit)
    self.style = style
    LogWriter.start(queue, number: 0, output: DescriptorOutput(descriptor), style: style)
  }

  /// A sink that writes to `target`, and lets up to `pendingLimit` bytes wait.
  ///
  /// - Parameter onTrouble: is told once, on the writer's thread, when lines cannot be written for a while, and why.
  public init(
    _ target: LogTarget, pendingLimit: Int = 4 * 1024 * 1024, style: LogStyle?,
    onTrouble: (@Sendable (String) -> Void)? = nil
  ) {
    queue = LogQueue(limit: pendingLimit)
    self.style = style
    LogWriter.start(queue, number: 0, output: target.output, style: style, onTrouble: onTrouble)
  }

  deinit { queue.close() }

  /// Takes whole lines, each ending in a line feed. Those for which there is no room are lost, the last ones first.
  ///
  /// May be called from any thread, and never waits for the output.
  public func write(_ lines: Span<UInt8>) {
    queue.append(lines)
  }

  /// Has lines go to `target` from now on; those that the writer has taken still go where they went before.
  ///
  /// - Throws: where that is not possible, because two earlier outputs hang.
  public func redirect(to target: LogTarget, onTrouble: (@Sendable (String) -> Void)? = nil) throws(LogOutputError) {
    guard let number = queue.replaceWriter() else {
      throw LogOutputError("the log is closed, or two earlier outputs of the log hang; start the proxy again")
    }
    LogWriter.start(queue, number: number, output: target.output, style: style, onTrouble: onTrouble)
  }

  /// Has the output opened again: the file, if it is one. Never waits; `done` is called on the writer's thread with nil, or with
  /// why it could not be opened. What was open before is used then.
  public func reopen(_ done: @escaping @Sendable (String?) -> Void) {
    queue.reopen(done)
  }

  /// How many lines have been lost, by reason.
  public var lostLines: [LogLoss: UInt64] { queue.lost }

  /// How many lines have been lost.
  public var droppedLines: UInt64 { lostLines.values.reduce(0, +) }

  /// Waits until everything has been written, for `limit` at most; what is written to the sink later is lost.
  ///
  /// Returns whether all was written in time; what was not counts as lost.
  @discardableResult
  public func finish(within limit: Duration) -> Bool {
    queue.close()
    let (seconds, attoseconds) = limit.components
    return queue.waitForEnd(milliseconds: max(0, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)))
  }
}

/// An output that has been opened and not been given to a ``LogSink`` yet.
public struct LogTarget {
  let output: any LogOutput

  /// A descriptor that is open already, and stays so.
  public static func descriptor(_ descriptor: Int32) -> LogTarget { LogTarget(output: DescriptorOutput(descriptor)) }

  /// The file at `path`, which is made where there is none, with the mode 0640.
  ///
  /// - Throws: why it cannot be opened.
  public static func file(_ path: String) throws(LogOutputError) -> LogTarget {
    LogTarget(output: try LogFile(path: path))
  }

  /// Syslog behind a Unix socket. It need not be there yet: lines wait for it.
  public static func syslog(_ address: SyslogAddress) -> LogTarget { LogTarget(output: SyslogOutput(address)) }
}

/// How lines are written, and which: what may change while the proxy runs.
public final class LogStyle: Sendable {
  private let formatNumber: Atomic<UInt8>

  /// Lines in this form, and of this level or above.
  public init(format: LogFormat, level: Logger.Level = .info) {
    formatNumber = Atomic(format.rawValue)
    self.level = level
  }

  /// The form of a line.
  public var format: LogFormat {
    @inline(__always) get { formatNumber.load(ordering: .relaxed) == LogFormat.json.rawValue ? .json : .logfmt }
    set { formatNumber.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// The least important lines that are written, unless the level is changed later: ``LogThreshold``.
  public let level: Logger.Level
}
