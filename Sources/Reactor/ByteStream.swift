public import Bytes
public import SystemPackage

/// A connection's two byte streams, as a task on the event loop uses them: try first, and wait on a ``Wakeup`` only
/// when the kernel has nothing to give or no room.
open class ByteStream: Watch {
  /// Whether reading is worth an attempt. Set by the kernel's reports, cleared by an attempt that found nothing.
  public final var isReadable = false
  /// Whether writing is worth an attempt.
  public final var isWritable = true
  /// Whether the peer has closed, or shut down its sending side; what it sent before may still have to be read.
  public final private(set) var peerClosed = false
  /// Whether the peer is gone, and an answer would reach nobody: the connection is gone in both directions, or the peer has
  /// closed its sending side and does not mean to read on (``servesHalfClosed``).
  public final private(set) var hasLeft = false
  /// Whether the connection is gone in both directions.
  public final private(set) var hasFailed = false
  /// Whether a peer that has shut down its sending side is expected to read on. What it sent may be its last request.
  public final var servesHalfClosed = false {
    didSet { if servesHalfClosed != oldValue { hasLeft = hasFailed || peerClosed && !servesHalfClosed } }
  }
  /// Told whenever one of the above changes. One that refers to this stream has to be taken back before the stream can go away.
  public final var observer: ReadinessObserver?

  /// Notes what the kernel reports and wakes the task that waits.
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

  /// Reads into the free space of `buffer`, of which there must be some, at most `limit` bytes.
  open func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    preconditionFailure("a ByteStream says how it receives")
  }

  /// Sends from the front of the readable bytes of `buffer`, of which there must be some, at most `limit` bytes, and
  /// consumes what was sent.
  open func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    preconditionFailure("a ByteStream says how it sends")
  }

  /// Tells the peer that nothing more will be sent.
  open func finishSending() {
    preconditionFailure("a ByteStream says how it finishes")
  }

  /// Bytes that were sent and that the peer has not acknowledged, as far as that is known.
  open var undeliveredBytes: Int { 0 }

  /// Whether bytes that were taken to be sent wait for room in the kernel: closing would lose them.
  open var hasUnsentBytes: Bool { false }

  /// The address and the port of this end, as `host:port`; empty where that is not known.
  open var localAddress: String { "" }

  /// Whether bytes, or the end of the stream, wait to be read, which must not happen on a connection that is not in
  /// use.
  open func hasUnexpectedInput() -> Bool {
    preconditionFailure("a ByteStream says what it has")
  }

  /// Ends the connection with a reset, so that the peer does not take what it has for the whole.
  open func abort() {
    preconditionFailure("a ByteStream says how it aborts")
  }

  /// Ends both directions and frees the descriptor. Calling it again does nothing.
  open func close() {
    preconditionFailure("a ByteStream says how it closes")
  }
}

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
