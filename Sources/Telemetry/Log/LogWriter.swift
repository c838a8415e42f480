import Bytes
import Glibc

/// The thread that writes the lines of a ``LogQueue`` to a descriptor.
///
/// Only this thread may wait for the reader of the descriptor.
final class LogWriter: Sendable {
  // After a write the thread rests that long, so that under load it is woken for many lines, not for each.
  private static let rest = 20
  // How long a full disk, or a descriptor that takes nothing, is left alone. Both in milliseconds.
  private static let retry = 1000

  private let queue: LogQueue
  private let descriptor: Int32

  private init(_ queue: LogQueue, _ descriptor: Int32) {
    self.queue = queue
    self.descriptor = descriptor
  }

  /// Starts the thread; it ends when `queue` is closed and written, or the descriptor has no reader any more.
  static func start(_ queue: LogQueue, descriptor: Int32) {
    let writer = unsafe Unmanaged.passRetained(LogWriter(queue, descriptor))
    var attributes = pthread_attr_t()
    var thread = pthread_t()
    var all = sigset_t()
    var before = sigset_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // The thread inherits a mask that blocks everything: SIGTERM is for the event loops, and instead of SIGPIPE
    // write(2) shall return EPIPE.
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
    while let blocks = queue.take() {
      for block in blocks {
        guard write(block) else { return queue.end() }
        queue.giveBack(block)
      }
      queue.gather(milliseconds: Self.rest)
    }
    queue.end()
  }

  // Returns whether the block has been written, and more can be.
  private func write(_ block: ByteBuffer) -> Bool {
    while !block.isEmpty {
      let written = unsafe block.withUnsafeReadableBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written >= 0 {
        let lines = block.bytes(block.start..<(block.start + written)).lineCount
        block.consume(written)
        guard queue.wrote(bytes: written, lines: lines) else { return false }
        continue
      }
      switch errno {
      case EINTR:
        continue
      case EAGAIN:
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // Whatever it says, the next write finds out.
        unsafe poll(&waiting, 1, Int32(Self.retry))
        guard queue.wrote(bytes: 0, lines: 0) else { return false }
      case ENOSPC, EDQUOT, EIO, ENOBUFS, ENOMEM:
        guard queue.waitWhileOpen(milliseconds: Self.retry) else { return false }
      default:
        // EPIPE: the reader is gone. The others: this descriptor can never be written.
        return false
      }
    }
    return true
  }
}

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

  /// How many lines have been dropped: there was no room, the reader has gone, or the sink had been finished.
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
