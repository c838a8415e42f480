public import Bytes
public import SystemPackage

/// A connection's two byte streams, for a task on the event loop: try first, and wait on a ``Wakeup`` only if the kernel has
/// nothing to read, or no room.
open class ByteStream: Watch {
  /// Whether an attempt to read is worthwhile. Set by the kernel's reports, cleared by an attempt that found nothing.
  public final var isReadable = false
  /// Whether an attempt to write is worthwhile.
  public final var isWritable = true
  /// Whether the peer has closed, or shut down its sending side; what it sent before may still have to be read.
  public final private(set) var peerClosed = false
  /// Whether the peer will not read a response: the connection is gone in both directions, or the peer has closed its sending
  /// side and is not expected to read on (``servesHalfClosed``).
  public final private(set) var hasLeft = false
  /// Whether the connection is gone in both directions.
  public final private(set) var hasFailed = false
  /// Whether a peer that has shut down its sending side is expected to read on. What it sent may be its last request.
  public final var servesHalfClosed = false {
    didSet { if servesHalfClosed != oldValue { hasLeft = hasFailed || peerClosed && !servesHalfClosed } }
  }
  /// Called whenever one of the above changes. If it refers to this stream, remove it before the stream is released.
  public final var observer: ReadinessObserver?

  /// Records what the kernel reports, and wakes the waiting task.
  open override func signal(_ readiness: Readiness) {
    if !readiness.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { isReadable = true }
    if !readiness.isDisjoint(with: [.writable, .hangUp, .error]) { isWritable = true }
    if !readiness.isDisjoint(with: [.peerClosed, .hangUp]) {
      peerClosed = true
      if !servesHalfClosed { hasLeft = true }
    }
    if !readiness.isDisjoint(with: [.hangUp, .error]) {
      hasFailed = true
      hasLeft = true
    }
    observer?.readinessChanged()
  }

  /// Reads at most `limit` bytes into the free space of `buffer`, which must not be full.
  open func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    preconditionFailure("a ByteStream says how it receives")
  }

  /// Sends at most `limit` bytes from the front of `buffer`, which must not be empty, and consumes what was sent.
  open func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    preconditionFailure("a ByteStream says how it sends")
  }

  /// Tells the peer that no more bytes will be sent.
  open func finishSending() {
    preconditionFailure("a ByteStream says how it finishes")
  }

  /// The number of sent bytes that the peer has not acknowledged, as far as it is known.
  open var undeliveredBytes: Int { 0 }

  /// Whether bytes accepted by ``send(from:limit:)`` wait for room in the kernel: closing would lose them.
  open var hasUnsentBytes: Bool { false }

  /// The address and port of this end, as `host:port`; empty if unknown.
  open var localAddress: String { "" }

  /// Whether bytes, or the end of the stream, can be read; this must not happen on an unused connection.
  open func hasUnexpectedInput() -> Bool {
    preconditionFailure("a ByteStream says what it has")
  }

  /// Ends the connection with a reset, so that the peer does not take what it has received for the whole.
  open func abort() {
    preconditionFailure("a ByteStream says how it aborts")
  }

  /// Ends both directions and frees the descriptor. Calling it again does nothing.
  open func close() {
    preconditionFailure("a ByteStream says how it closes")
  }
}

/// The result of a non-blocking read or write.
public enum IOResult {
  /// This many bytes were transferred; at least one.
  case transferred(Int)
  /// Nothing can be done before the next ``Readiness``.
  case wouldBlock
  /// The peer has sent everything.
  case endOfStream
  /// The connection failed.
  case failed(StreamError)
}

/// Why a connection failed in the middle of a transfer.
public enum StreamError: Error, Equatable, Sendable {
  /// The system call failed.
  case system(Errno)
  /// TLS failed; a sentence from the TLS library.
  case tls(String)
  /// TCP ended without an end of TLS (close_notify): anyone on the path may have cut off the data.
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
