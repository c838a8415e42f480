public import Bytes
internal import CLinux
internal import COpenSSL
internal import Glibc
public import Reactor
public import SystemPackage

/// The bytes of a TLS session as a byte stream; the subclass owns the session.
///
/// Bytes that ``send(from:limit:)`` has accepted will be sent: what the kernel has no room for is kept encrypted, at most one
/// record of it, and is sent before anything else.
@safe open class SecureStream: ByteStream {
  /// The session, an `SSL *`; nil before ``adopt(_:)``.
  public final private(set) var session: OpaquePointer!
  /// Its transport, which lives as long as the session.
  public final private(set) var transport: OpaquePointer!
  /// The number of the underlying socket.
  public final let descriptor: Int32

  private let loop: EventLoop
  // The stream that carries this one; it has given up its socket.
  private let carrier: SecureStream?
  /// Whether an end without close_notify counts as a normal end.
  public final var acceptsTruncation = false
  /// Whether the stream owns the socket.
  public final private(set) var isOpen = true
  private var isFinishing = false

  /// A stream on a socket, for a session that is adopted next. Registers the socket with `loop`, on whose thread the stream is
  /// used.
  public init(on descriptor: Int32, inside carrier: SecureStream? = nil, _ loop: EventLoop) throws(Errno) {
    self.descriptor = descriptor
    self.loop = loop
    self.carrier = carrier
    super.init()
    // The kernel does not announce bytes that were received before.
    isReadable = true
    try loop.register(self, stream: descriptor)
  }

  /// Starts to use `session`, which must have a transport.
  public final func adopt(_ session: OpaquePointer) {
    unsafe self.session = session
    unsafe transport = copenssl_transport_of(session)
  }

  /// Frees the socket, once; the subclass implements this.
  open func releaseSocket() {
    preconditionFailure("a SecureStream says how its socket is freed")
  }

  /// Leaves the socket to another stream; this one cannot be used afterwards. False if it is closed.
  public final func detach() -> Bool {
    guard isOpen else { return false }
    isOpen = false
    loop.remove(self)
    return true
  }

  // MARK: Bytes

  /// Records what the kernel reports, and sends what now has room.
  public final override func signal(_ readiness: Readiness) {
    if !readiness.isDisjoint(with: [.writable, .hangUp, .error]) { _ = flush() }
    super.signal(readiness)
  }

  open override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.freeSpace, limit)
    var received = 0
    unsafe copenssl_watch_draining(transport)
    // Each call reads one record; read as many as there are.
    while received < wanted {
      TLSErrorQueue.clear()
      var count = 0
      let result = unsafe buffer.withUnsafeFreeSpace { free in
        unsafe SSL_read_ex(session, free.baseAddress, wanted - received, &count)
      }
      guard result == 1 else {
        let ending = self.ending(result)
        if case .wouldBlock = ending { isReadable = false } else if received > 0 { isReadable = true }
        return received > 0 ? .transferred(received) : ending
      }
      buffer.commit(count)
      received += count
      if unsafe SSL_has_pending(session) == 0, unsafe copenssl_is_drained(transport) == 1 {
        // The kernel has no more, unless the end of the stream follows.
        if !peerClosed { isReadable = false }
        return .transferred(received)
      }
    }
    // The session may hold more bytes, which the kernel does not announce.
    isReadable = true
    return .transferred(received)
  }

  open override func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.count, limit)
    var sent = 0
    while sent < wanted {
      guard flush() else {
        isWritable = false
        if let errno = systemError { return .failed(.system(errno)) }
        break
      }
      TLSErrorQueue.clear()
      var count = 0
      let result = unsafe buffer.withUnsafeReadableBytes { bytes in
        unsafe SSL_write_ex(session, bytes.baseAddress, wanted - sent, &count)
      }
      guard result == 1 else { return sent > 0 ? .transferred(sent) : ending(result) }
      buffer.consume(count)
      sent += count
    }
    return sent > 0 ? .transferred(sent) : .wouldBlock
  }

  private func ending(_ result: Int32) -> IOResult {
    switch unsafe SSL_get_error(session, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
    case SSL_ERROR_ZERO_RETURN: return endOfStream(isClean: unsafe copenssl_is_at_end(transport) == 0)
    default:
      if let errno = systemError { return .failed(.system(errno)) }
      return .failed(.tls(TLSErrorQueue.takeReason() ?? "the connection ended in the middle"))
    }
  }

  /// The result at the end of the stream; `isClean` says whether the peer sent close_notify.
  public final func endOfStream(isClean: Bool) -> IOResult {
    isClean || acceptsTruncation ? .endOfStream : .failed(.truncated)
  }

  /// The error of the failed system call, if one has failed.
  public final var systemError: Errno? {
    let error = unsafe copenssl_transport_error(transport)
    return error == 0 ? nil : Errno(rawValue: error)
  }

  /// Sends waiting bytes; returns whether none are left.
  private func flush() -> Bool {
    guard isOpen, hasUnsentBytes else { return true }
    guard unsafe copenssl_flush(transport) == 1 else { return false }
    if isFinishing { _ = shutdown(descriptor, Int32(SHUT_WR)) }
    return true
  }

  public final override var undeliveredBytes: Int {
    let unsent = unsafe transport.map { unsafe Int(copenssl_unsent($0)) } ?? 0
    return max(0, Int(clinux_undelivered_bytes(descriptor))) + unsent
  }

  public final override var hasUnsentBytes: Bool { unsafe transport != nil && copenssl_unsent(transport) > 0 }

  public final override var localAddress: String { SocketAddress.text(of: descriptor, peer: false) }

  // Session tickets are not input: a read lets TLS process them.
  open override func hasUnexpectedInput() -> Bool {
    if peerClosed { return true }
    if carrier == nil, unsafe SSL_has_pending(session) == 0, unsafe copenssl_has_received(transport) == 0,
      unsafe SSL_get_shutdown(session) & SSL_RECEIVED_SHUTDOWN == 0, clinux_is_quiet(descriptor) == 1
    {
      return false
    }
    var byte: UInt8 = 0
    var count = 0
    TLSErrorQueue.clear()
    let result = unsafe SSL_peek_ex(session, &byte, 1, &count)
    guard result != 1, case .wouldBlock = ending(result) else { return true }
    return false
  }

  // MARK: The end

  /// Ends the sending side, in TLS (close_notify) and in TCP.
  open override func finishSending() {
    guard isOpen, !isFinishing else { return }
    isFinishing = true
    TLSErrorQueue.clear()
    unsafe _ = SSL_shutdown(session)
    if let carrier { unsafe _ = SSL_shutdown(carrier.session) }
    if !hasUnsentBytes { _ = shutdown(descriptor, Int32(SHUT_WR)) }
  }

  open override func abort() {
    guard isOpen else { return }
    // Without close_notify, which would mark a regular end.
    if let session = unsafe session { unsafe SSL_set_quiet_shutdown(session, 1) }
    // A linger time of zero makes the kernel send RST (socket(7), SO_LINGER).
    var linger = linger(l_onoff: 1, l_linger: 0)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  public final override func close() {
    guard detach() else { return }
    releaseSocket()
  }
}

/// OpenSSL's queue of this thread's errors.
public enum TLSErrorQueue {
  /// Empties the queue, as `SSL_get_error` requires before each call whose result it is asked about.
  ///
  /// `ERR_clear_error` alone processes all 16 slots, 800 instructions, even if the queue is empty.
  @inline(__always) static func clear() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
  }

  /// OpenSSL's text for the first error, and empties the queue; nil if there is none.
  public static func takeReason() -> String? { take()?.text }

  /// The code and text of the first error.
  public static func take() -> (code: Int32, text: String)? {
    defer { ERR_clear_error() }
    let error = ERR_get_error()
    guard error != 0 else { return nil }
    // ERR_GET_REASON is a macro: the lower 23 bits.
    let code = Int32(truncatingIfNeeded: error & 0x7f_ffff)
    guard let reason = unsafe ERR_reason_error_string(error) else { return (code, "error \(error)") }
    return (code, unsafe String(cString: reason))
  }
}
