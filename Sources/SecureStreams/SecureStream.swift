public import Bytes
internal import CLinux
internal import COpenSSL
internal import Glibc
public import Reactor
public import SystemPackage

/// What a TLS session carries, as a byte stream; the session belongs to the subclass.
///
/// Bytes that ``send(from:limit:)`` has taken are under way: what the kernel has no room for is kept encrypted, one record of it
/// at most, and goes out before anything else.
@safe open class SecureStream: ByteStream {
  /// The session, an `SSL *`; nil before ``adopt(_:)``.
  public final private(set) var session: OpaquePointer!
  /// Its transport, which lives as long as the session.
  public final private(set) var transport: OpaquePointer!
  /// The number of the socket below.
  public final let descriptor: Int32

  private let loop: EventLoop
  // The stream whose connection this one is inside; it has given up its socket.
  private let carrier: SecureStream?
  /// Whether an end without close_notify is as good as one with it.
  public final var acceptsTruncation = false
  /// Whether the stream has the socket.
  public final private(set) var isOpen = true
  private var isFinishing = false

  /// The bytes of the session that is adopted next, on a socket that is registered with `loop`, on whose thread the stream is
  /// used.
  public init(on descriptor: Int32, inside carrier: SecureStream? = nil, _ loop: EventLoop) throws(Errno) {
    self.descriptor = descriptor
    self.loop = loop
    self.carrier = carrier
    super.init()
    // What was received before is not announced by the kernel.
    isReadable = true
    try loop.register(self, stream: descriptor)
  }

  /// From now on the bytes are those of `session`, which has a transport.
  public final func adopt(_ session: OpaquePointer) {
    unsafe self.session = session
    unsafe transport = copenssl_transport_of(session)
  }

  /// Frees the socket, once; the subclass says how.
  open func releaseSocket() {
    preconditionFailure("a SecureStream says how its socket is freed")
  }

  /// Leaves the socket to another stream: this one cannot be used afterwards. False when it is closed.
  public final func detach() -> Bool {
    guard isOpen else { return false }
    isOpen = false
    loop.remove(self)
    return true
  }

  // MARK: Bytes

  /// Notes what the kernel reports, and sends what it has room for now.
  public final override func signal(_ readiness: Readiness) {
    if !readiness.isDisjoint(with: [.writable, .hangUp, .error]) { _ = flush() }
    super.signal(readiness)
  }

  open override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.freeSpace, limit)
    var received = 0
    unsafe copenssl_watch_draining(transport)
    // A record a call, as many as there are.
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
        // The kernel has no more, unless the end is waiting behind it.
        if !peerClosed { isReadable = false }
        return .transferred(received)
      }
    }
    // The session may hold more, and the kernel does not announce that.
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

  /// The end of the stream, which `isClean` if the peer has sent close_notify.
  public final func endOfStream(isClean: Bool) -> IOResult {
    isClean || acceptsTruncation ? .endOfStream : .failed(.truncated)
  }

  /// The failure of a system call, if one has failed.
  public final var systemError: Errno? {
    let error = unsafe copenssl_transport_error(transport)
    return error == 0 ? nil : Errno(rawValue: error)
  }

  /// Sends what waits for room; whether nothing does any more.
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

  // Session tickets are no input: reading lets TLS deal with them.
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

  /// Says that no more will come, in TLS (close_notify) and in TCP.
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
    // Without close_notify, which would say that the end was meant.
    if let session = unsafe session { unsafe SSL_set_quiet_shutdown(session, 1) }
    // Lingering for no time at all makes the kernel send RST (socket(7), SO_LINGER).
    var linger = linger(l_onoff: 1, l_linger: 0)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  public final override func close() {
    guard detach() else { return }
    releaseSocket()
  }
}

/// What OpenSSL noted about the failures of this thread.
public enum TLSErrorQueue {
  /// Empties the queue, as `SSL_get_error` requires it before each call that it is asked about.
  ///
  /// `ERR_clear_error` alone works through all 16 places for errors, 800 instructions, even when there is none.
  @inline(__always) static func clear() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
  }

  /// The first of them in OpenSSL's words, all of them being taken out; nil when there is none.
  public static func takeReason() -> String? { take()?.text }

  /// The reason's number and words.
  public static func take() -> (code: Int32, text: String)? {
    defer { ERR_clear_error() }
    let error = ERR_get_error()
    guard error != 0 else { return nil }
    // ERR_GET_REASON, which is a macro: the lower 23 bits.
    let code = Int32(truncatingIfNeeded: error & 0x7f_ffff)
    guard let reason = unsafe ERR_reason_error_string(error) else { return (code, "error \(error)") }
    return (code, unsafe String(cString: reason))
  }
}
