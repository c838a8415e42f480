public import SystemPackage

/// How an attempt to read or write without waiting ended.
public enum IOResult {
  /// This many bytes went through; at least one.
  case transferred(Int)
  /// Nothing can be done before the next ``Readiness``.
  case wouldBlock
  /// The peer has sent everything that it will ever send.
  case endOfStream
  /// The connection failed.
  case failed(StreamError)
}

/// Why a connection failed in the middle.
public enum StreamError: Error, Equatable, Sendable {
  /// The system call failed.
  case system(Errno)
  /// TLS failed; a sentence from the TLS library.
  case tls(String)
  /// TCP ended, and TLS did not (close_notify): what came may have been cut off, by anyone on the way.
  case truncated
}

extension StreamError: CustomStringConvertible {
  /// A short text for a log line.
  public var description: String {
    switch self {
    case .system(let errno): errno.description
    case .tls(let detail): detail
    case .truncated: "the TLS connection ended without close_notify"
    }
  }
}
