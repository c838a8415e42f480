internal import Glibc
internal import Telemetry

/// Standard output and standard error of a proxy that serves. Each has a thread that writes, and nothing else ever waits for
/// who reads them: a pipe whose reader has stopped must not stop requests, nor the end of the process.
struct ServiceOutput {
  /// Lines for standard output: the access log and the event log.
  let log: LogSink
  private let messages: LogSink

  /// How long the end of the process waits for who reads.
  private static let patience = Duration.seconds(2)
  /// What of that is for the last line, where it goes another way than the log.
  private static let patienceForLastLine = Duration.milliseconds(500)

  /// Starts the threads.
  init() {
    log = LogSink(descriptor: STDOUT_FILENO)
    // With one thread for both, lines of the one never end up within lines of the other.
    messages = Self.isSameFile(STDOUT_FILENO, STDERR_FILENO) ? log : LogSink(descriptor: STDERR_FILENO)
  }

  /// How many lines have been dropped.
  var droppedLines: UInt64 { log === messages ? log.droppedLines : log.droppedLines + messages.droppedLines }

  /// Writes `text` and a line's end to standard error, soon.
  func say(_ text: String) { messages.write(Array("\(text)\n".utf8).span) }

  /// Writes what is left, and `lastLine` behind it, for 2 s at most. What was not written by then is lost.
  func finish(saying lastLine: String) {
    if log === messages {
      say(lastLine)
      log.finish(within: Self.patience)
      return
    }
    let started = ContinuousClock.now
    log.finish(within: Self.patience - Self.patienceForLastLine)
    let lost = droppedLines
    say(lost == 0 ? lastLine : "\(lastLine); \(lost) \(lost == 1 ? "line" : "lines") of output lost: not read in time")
    messages.finish(within: Self.patience - (ContinuousClock.now - started))
  }

  private static func isSameFile(_ one: Int32, _ other: Int32) -> Bool {
    var (first, second) = (stat(), stat())
    guard unsafe fstat(one, &first) == 0, unsafe fstat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }
}
