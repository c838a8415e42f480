import Bytes
import Glibc

/// Why lines of the log are lost: the label `reason` of the metric, and the field of the same name of `event=log`.
public enum LogLoss: String, CaseIterable, Sendable {
  /// Too many lines waited for an output that is slow, or takes nothing.
  case slow
  /// The disk is full.
  case diskFull = "disk_full"
  /// Syslog cannot be reached.
  case unreachable
  /// The output cannot be written for another reason.
  case writeFailed = "write_failed"
  /// The reader has closed the output.
  case closed
  /// They were logged after the log had been closed.
  case exit

  /// The meaning of the reason, for `docs/metrics.md`.
  public var meaning: String {
    switch self {
    case .slow: "the output took lines too slowly, or not at all"
    case .diskFull: "the disk was full"
    case .unreachable: "syslog could not be reached"
    case .writeFailed: "the output could not be written for another reason"
    case .closed: "the reader had closed the output"
    case .exit: "the proxy was about to exit"
    }
  }
}

/// Why an output cannot be used, as a sentence.
public struct LogOutputError: Error, CustomStringConvertible, Equatable {
  /// The sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The result of one system call with the lines of a writer.
enum LogStep {
  /// This many bytes were written, with this many line feeds.
  case wrote(bytes: Int, lines: Int)
  /// This many bytes, with this many line feeds, were skipped: the rest of a line whose beginning is in another file.
  case skipped(bytes: Int, lines: Int, LogLoss)
  /// The descriptor takes nothing at the moment.
  case blocked(Int32)
  /// Nothing can be written at the moment; the sentence says why.
  case stalled(LogLoss, String)
  /// Nothing can be written any more.
  case ended(LogLoss)
}

/// Where a ``LogWriter`` writes. Only the writer's thread uses it, once the writer has started.
protocol LogOutput: AnyObject {
  /// Writes as much of `block` as it can with one system call, and does not consume it.
  func step(_ block: ByteBuffer) -> LogStep
  /// Opens the output again; returns why that failed, and then uses what was open before.
  func reopen() -> String?
}

/// A descriptor that is open already, and stays open: standard output or error.
final class DescriptorOutput: LogOutput {
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func step(_ block: ByteBuffer) -> LogStep {
    let written = unsafe block.withUnsafeReadableBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if written >= 0 { return .wrote(block, written) }
    let error = errno
    switch error {
    case EINTR: return .wrote(bytes: 0, lines: 0)
    case EAGAIN: return .blocked(descriptor)
    case ENOSPC, EDQUOT, EFBIG: return .stalled(.diskFull, errorText(error))
    case EIO, ENOBUFS, ENOMEM: return .stalled(.writeFailed, errorText(error))
    case EPIPE, ECONNRESET: return .ended(.closed)
    default: return .ended(.writeFailed)
    }
  }

  func reopen() -> String? { nil }
}

extension LogStep {
  /// The first `count` bytes of `block` have been written.
  static func wrote(_ block: ByteBuffer, _ count: Int) -> LogStep {
    .wrote(bytes: count, lines: block.bytes(block.start..<(block.start + count)).lineCount)
  }
}

/// The system's text for an error.
func errorText(_ error: Int32) -> String {
  var text = [CChar](repeating: 0, count: 128)
  // strerror is not thread-safe.
  guard unsafe strerror_r(error, &text, text.count) == 0 else { return "error \(error)" }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
