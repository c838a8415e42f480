import Bytes
import Glibc

/// The thread that writes the lines of a ``LogQueue`` to an output.
///
/// Only this thread may wait for a reader of the output, or for a file system.
final class LogWriter: @unchecked Sendable {
  // How long the thread rests after a write, so that under load it wakes for many lines, not for each.
  private static let rest = 20
  // How long a full disk, or a descriptor that takes nothing, is left alone; how often the log reports lost lines. In
  // milliseconds.
  private static let retry = 1000
  private static let tellingInterval = 1000

  private let queue: LogQueue
  private let number: Int
  // Only the thread touches it once started, which makes this class safe to share.
  private let output: any LogOutput
  /// How lines about losses are written; nil for none.
  private let style: LogStyle?
  /// Called when lines cannot be written for a while, with the reason.
  private let onTrouble: (@Sendable (String) -> Void)?
  private var isTroubled = false
  private var lastTold: UInt64?

  private init(
    _ queue: LogQueue, _ number: Int, _ output: any LogOutput, _ style: LogStyle?,
    _ onTrouble: (@Sendable (String) -> Void)?
  ) {
    (self.queue, self.number, self.output, self.style, self.onTrouble) = (queue, number, output, style, onTrouble)
  }

  /// Starts the thread of writer `number` of `queue`; it ends when the queue is closed and written, when another writer
  /// replaces it, or when the output cannot be written any more.
  static func start(
    _ queue: LogQueue, number: Int, output: any LogOutput, style: LogStyle? = nil,
    onTrouble: (@Sendable (String) -> Void)? = nil
  ) {
    let writer = unsafe Unmanaged.passRetained(LogWriter(queue, number, output, style, onTrouble))
    var attributes = pthread_attr_t()
    var thread = pthread_t()
    var all = sigset_t()
    var before = sigset_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // The thread inherits a mask that blocks everything: SIGTERM is for the event loops, and instead of raising SIGPIPE
    // and SIGXFSZ, write(2) must return EPIPE and EFBIG.
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, &before)
    let failure = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        unsafe Unmanaged<LogWriter>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, writer.toOpaque())
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    unsafe pthread_attr_destroy(&attributes)
    precondition(failure == 0, "no thread can be started for the log: error \(failure)")
  }

  private func run() {
    while let work = queue.take(by: number, telling) {
      for block in work.blocks {
        if let reason = write(block) { return queue.end(by: number, reason) }
        queue.giveBack(block)
      }
      if !work.losses.isEmpty, let reason = tell(work.losses) { return queue.end(by: number, reason) }
      reopenIfAsked()
      queue.gather(by: number, milliseconds: Self.rest)
    }
    queue.end(by: number, .slow)
  }

  /// Writes the block; returns nil, or the reason why the writer ends.
  private func write(_ block: ByteBuffer, counts: Bool = true) -> LogLoss? {
    while !block.isEmpty {
      switch output.step(block) {
      case .wrote(let bytes, let lines):
        block.consume(bytes)
        isTroubled = false
        guard finished(counts ? bytes : 0, counts ? lines : 0) else { return .slow }
      case .skipped(let bytes, let lines, let reason):
        block.consume(bytes)
        guard finished(counts ? bytes : 0, counts ? lines : 0, lost: reason) else { return .slow }
      case .blocked(let descriptor):
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // Ignore the result: the next write finds out.
        unsafe poll(&waiting, 1, Int32(Self.retry))
        guard finished(0, 0) else { return .slow }
        reopenIfAsked()
      case .stalled(let reason, let problem):
        // First, so that lines lost after the message count for this reason.
        queue.note(reason, by: number)
        if !isTroubled { onTrouble?(problem) }
        isTroubled = true
        guard queue.pause(by: number, reason, milliseconds: Self.retry) else { return reason }
        reopenIfAsked()
      case .ended(let reason):
        return reason
      }
    }
    return nil
  }

  private func finished(_ bytes: Int, _ lines: Int, lost reason: LogLoss? = nil) -> Bool {
    queue.finished(by: number, bytes: bytes, lines: lines, lost: reason)
  }

  private func reopenIfAsked() {
    let asked = queue.takeReopening(by: number)
    guard !asked.isEmpty else { return }
    let problem = output.reopen()
    for done in asked { done(problem) }
  }

  // MARK: Losses

  private var telling: LogQueue.Telling {
    guard style != nil else { return .never }
    guard let lastTold else { return .now }
    let passed = (monotonicNanoseconds() - lastTold) / 1_000_000
    return passed >= Self.tellingInterval ? .now : .after(Self.tellingInterval - Int(passed))
  }

  /// Writes a line for each reason why lines were lost.
  private func tell(_ losses: [LogLoss: UInt64]) -> LogLoss? {
    guard let style else { return nil }
    var line = LogLine(format: style.format, capacity: 512, longestValue: 256)
    for reason in LogLoss.allCases {
      guard let lines = losses[reason] else { continue }
      line.begin(at: WallClock.now())
      line.field(.level, "warning" as StaticString)
      line.field(.event, EventKind.log.rawValue)
      line.field(.reason, reason.rawValue)
      line.field(.detail, "lines were lost: \(reason.meaning)")
      line.field(.linesDropped, lines)
      line.end()
    }
    lastTold = monotonicNanoseconds()
    let block = ByteBuffer(capacity: max(line.bytes.count, 1))
    block.append(line.bytes)
    // These lines were never accepted, so they do not count.
    return write(block, counts: false)
  }
}

/// A time that settings of the clock do not affect.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  // Cannot fail: the clock always exists, and the address is valid.
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
