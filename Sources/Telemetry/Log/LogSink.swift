import Glibc
public import Logging
import Synchronization

/// Where log lines go: an output, written by one thread, so that no event loop ever waits for a reader.
///
/// Lines that cannot be written at once wait in memory, up to a limit. Beyond it, whole lines are lost, and counted.
/// While there is little to write, each line is written at once; otherwise many together, every few milliseconds.
public final class LogSink: Sendable {
  let queue: LogQueue
  private let style: LogStyle?

  /// A sink that writes to `descriptor`, which the caller keeps open, and lets up to `pendingLimit` bytes wait.
  ///
  /// - Parameter style: how lines about lost lines are written; nil for none.
  public init(descriptor: Int32, pendingLimit: Int = 4 * 1024 * 1024, style: LogStyle? = nil) {
    queue = LogQueue(limit: pendingLimit)
    self.style = style
    LogWriter.start(queue, number: 0, output: DescriptorOutput(descriptor), style: style)
  }

  /// A sink that writes to `target`, and lets up to `pendingLimit` bytes wait.
  ///
  /// - Parameter onTrouble: called once, on the writer's thread, when lines cannot be written for a while, with the reason.
  public init(
    _ target: LogTarget, pendingLimit: Int = 4 * 1024 * 1024, style: LogStyle?,
    onTrouble: (@Sendable (String) -> Void)? = nil
  ) {
    queue = LogQueue(limit: pendingLimit)
    self.style = style
    LogWriter.start(queue, number: 0, output: target.output, style: style, onTrouble: onTrouble)
  }

  deinit { queue.close() }

  /// Takes whole lines, each ending in a line feed. Lines without room are lost, the last ones first.
  ///
  /// May be called from any thread, and never waits for the output.
  public func write(_ lines: Span<UInt8>) {
    queue.append(lines)
  }

  /// Sends lines to `target` from now on; those that the writer has already taken still go to the earlier output.
  ///
  /// - Throws: if that is impossible, because two earlier outputs hang.
  public func redirect(to target: LogTarget, onTrouble: (@Sendable (String) -> Void)? = nil) throws(LogOutputError) {
    guard let number = queue.replaceWriter() else {
      throw LogOutputError("the log is closed, or two earlier outputs of the log hang; start the proxy again")
    }
    LogWriter.start(queue, number: number, output: target.output, style: style, onTrouble: onTrouble)
  }

  /// Opens the output again, if it is a file. Never waits; `done` is called on the writer's thread with nil, or with
  /// why it could not be opened. In that case the earlier file stays in use.
  public func reopen(_ done: @escaping @Sendable (String?) -> Void) {
    queue.reopen(done)
  }

  /// How many lines have been lost, by reason.
  public var lostLines: [LogLoss: UInt64] { queue.lost }

  /// How many lines have been lost.
  public var droppedLines: UInt64 { lostLines.values.reduce(0, +) }

  /// Waits at most `limit` until everything is written; lines written to the sink later are lost.
  ///
  /// Returns whether everything was written in time; the rest counts as lost.
  @discardableResult
  public func finish(within limit: Duration) -> Bool {
    queue.close()
    let (seconds, attoseconds) = limit.components
    return queue.waitForEnd(milliseconds: max(0, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)))
  }
}

/// An output that was opened and not given to a ``LogSink`` yet.
public struct LogTarget {
  let output: any LogOutput

  /// A descriptor that is open already, and stays open.
  public static func descriptor(_ descriptor: Int32) -> LogTarget { LogTarget(output: DescriptorOutput(descriptor)) }

  /// The file at `path`, which is created with the mode 0640 if it does not exist.
  ///
  /// - Throws: why it cannot be opened.
  public static func file(_ path: String) throws(LogOutputError) -> LogTarget {
    LogTarget(output: try LogFile(path: path))
  }

  /// Syslog on a Unix socket. The socket need not exist yet: lines wait for it.
  public static func syslog(_ address: SyslogAddress) -> LogTarget { LogTarget(output: SyslogOutput(address)) }
}

/// How lines are written, and which: may change while the proxy runs.
public final class LogStyle: Sendable {
  private let formatNumber: Atomic<UInt8>

  /// Lines in this format, and of this level or above.
  public init(format: LogFormat, level: Logger.Level = .info) {
    formatNumber = Atomic(format.rawValue)
    self.level = level
  }

  /// The format of a line.
  public var format: LogFormat {
    @inline(__always) get { formatNumber.load(ordering: .relaxed) == LogFormat.json.rawValue ? .json : .logfmt }
    set { formatNumber.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// The lowest level that is written, unless it is changed later: ``LogThreshold``.
  public let level: Logger.Level
}
