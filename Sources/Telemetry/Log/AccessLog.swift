/// The access log of one event loop: a line for every request.
///
/// Lines are collected until ``flush()``, which a loop calls when it has done what there was to do, or until there are
/// many of them. An access log belongs to its loop: it is not `Sendable`, and nothing in it is synchronised.
public final class AccessLog {
  // Handed over without waiting for the loop, so that a long turn of the loop does not collect without bound.
  private static var batch: Int { 64 * 1024 }

  private let sink: LogSink
  private var line: LogLine

  /// An access log that writes to `sink`, and shows at most `longestValue` bytes of a value that a client sent.
  public init(sink: LogSink, format: LogFormat, longestValue: Int = 4096) {
    self.sink = sink
    line = LogLine(format: format, capacity: 2 * Self.batch, longestValue: longestValue)
  }

  // Lines that were written belong to the sink, even if their loop ends without having flushed them.
  deinit { flush() }

  /// Writes one line: its time (nanoseconds since 1970-01-01T00:00:00Z), `event`, and the fields that `fields` writes.
  public func write(_ event: StaticString = "request", at time: UInt64, _ fields: (inout LogLine) -> Void) {
    if line.write(event, at: time, fields) >= Self.batch { flush() }
  }

  /// Hands the lines that were written to the sink. Never blocks.
  public func flush() {
    guard !line.bytes.isEmpty else { return }
    sink.write(line.bytes)
    line.removeAll()
  }
}
