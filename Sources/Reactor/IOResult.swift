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
}

extension StreamError: CustomStringConvertible {
  /// A short text for a log line.
  public var description: String {
    switch self {
    case .system(let errno): errno.description
    case .tls(let detail): detail
    }
  }
}
