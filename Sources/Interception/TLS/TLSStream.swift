public import Bytes
internal import CLinux
internal import COpenSSL
internal import Glibc
public import Reactor
public import SystemPackage

/// The server's side of a TLS connection as a byte stream.
///
/// Bytes that ``send(from:limit:)`` has taken are under way: what the kernel has no room for is kept encrypted, one record of it
/// at most, and goes out before anything else.
@safe public final class TLSStream: ByteStream {
  /// How far a handshake has come.
  public enum HandshakeStep {
    /// The connection is encrypted.
    case done
    /// Nothing can be done before the next ``Readiness``.
    case wouldBlock
    /// The client's first message is there, and the context may be changed; only where the context asks for it, and once.
    case hello
    /// It failed, and the client has been sent an alert.
    case failed(TLSFailure)
  }

  private let loop: EventLoop
  private var socket: Descriptor?
  private let descriptor: Int32
  // Owned by this object alone; the transport lives as long as the session.
  private let session: OpaquePointer
  private let transport: OpaquePointer
  private var isFinishing = false

  // The stream whose connection this one is inside; it has given up its socket.
  private let carrier: TLSStream?

  /// Takes over a connected, non-blocking socket and registers it with `loop`, on whose thread it is used.
  ///
  /// - Parameter received: what has been read from the socket already, if anything has.
  public convenience init(
    _ socket: consuming Descriptor, received: ByteBuffer?, _ context: TLSServerContext, on loop: EventLoop
  ) throws(Errno) {
    try self.init(socket, inside: nil, received, context, loop)
  }

  /// Takes over the connection of `carrier`, inside which another TLS connection begins, as with an HTTPS proxy that is asked
  /// for a tunnel.
  ///
  /// - Parameter received: what has been read from `carrier` already, if anything has.
  public convenience init(
    inside carrier: TLSStream, received: ByteBuffer?, _ context: TLSServerContext, on loop: EventLoop
  ) throws(Errno) {
    guard let socket = carrier.handOver() else { throw .badFileDescriptor }
    try self.init(socket, inside: carrier, received, context, loop)
  }

  private init(
    _ socket: consuming Descriptor, inside carrier: TLSStream?, _ received: ByteBuffer?, _ context: TLSServerContext,
    _ loop: EventLoop
  ) throws(Errno) {
    self.loop = loop
    self.carrier = carrier
    let number = socket.number
    descriptor = number
    let outer = unsafe carrier?.session
    var session: OpaquePointer?
    if let received {
      unsafe session = received.withUnsafeReadableBytes {
        unsafe copenssl_accept_session(context.context, number, outer, $0.baseAddress, $0.count)
      }
    } else {
      unsafe session = unsafe copenssl_accept_session(context.context, number, outer, nil, 0)
    }
    guard let session = unsafe session, let transport = unsafe copenssl_transport_of(session) else {
      throw .noMemory
    }
    unsafe self.session = session
    unsafe self.transport = transport
    self.socket = consume socket
    super.init()
    // What was received before is not announced by the kernel.
    isReadable = true
    do {
      try loop.register(self, stream: number)
    } catch {
      close()
      throw error
    }
  }

  private func handOver() -> Descriptor? {
    guard socket != nil else { return nil }
    loop.remove(self)
    return socket.take()
  }

  deinit {
    close()
    unsafe SSL_free(session)
  }

  // MARK: The handshake

  /// Goes on with the handshake as far as it goes without waiting.
  public func handshake() -> HandshakeStep {
    ERR_clear_error()
    let result = unsafe SSL_do_handshake(session)
    if result == 1 {
      // What came behind the client's last message was read with it, maybe before the kernel had announced either.
      isReadable = true
      return .done
    }
    switch unsafe SSL_get_error(session, result) {
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: return .hello
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      isReadable = false
      return .wouldBlock
    default: return .failed(handshakeFailure())
    }
  }

  private func handshakeFailure() -> TLSFailure {
    switch systemError {
    // Gone with something of ours unread, as clients of GnuTLS are that do not accept a certificate.
    case .connectionReset, .brokenPipe: return .closed
    case let errno?: return .system(errno)
    case nil: break
    }
    guard let reason = TLSErrorQueue.take(), reason.code != SSL_R_UNEXPECTED_EOF_WHILE_READING else { return .closed }
    let verification = unsafe SSL_get_verify_result(session)
    let certificateError =
      verification == Int(X509_V_OK)
      ? nil : unsafe X509_verify_cert_error_string(verification).map { unsafe String(cString: $0) }
    return TLSFailure(
      reason: reason, lacksHTTP11: unsafe copenssl_lacks_http11(transport) == 1, certificateError: certificateError)
  }

  /// Shows another certificate than the one that the session was made with. After ``HandshakeStep/hello`` only.
  public func use(_ context: TLSServerContext) {
    unsafe _ = SSL_set_SSL_CTX(session, context.context)
  }

  /// The name that the client asked for (SNI, RFC 6066 section 3), from ``HandshakeStep/hello`` on; nil if it named none.
  public var serverName: String? {
    let name = unsafe String(cString: copenssl_server_name(transport))
    return name.isEmpty ? nil : name
  }

  /// The client's certificate, which has been verified; nil if it has shown none.
  public var peerCertificate: PeerCertificate? {
    guard let certificate = unsafe SSL_get0_peer_certificate(session) else { return nil }
    return unsafe PeerCertificate(reading: certificate)
  }

  /// Whether the client has resumed an earlier session.
  public var isResumed: Bool { unsafe SSL_session_reused(session) == 1 }

  // MARK: Bytes

  /// Notes what the kernel reports, and sends what it has room for now.
  public override func signal(_ readiness: Readiness) {
    if !readiness.isDisjoint(with: [.writable, .hangUp, .error]) { _ = flush() }
    super.signal(readiness)
  }

  public override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.freeSpace, limit)
    var received = 0
    unsafe copenssl_watch_draining(transport)
    // A record a call, as many as there are.
    while received < wanted {
      ERR_clear_error()
      var count = 0
      let result = unsafe buffer.withUnsafeFreeSpace { free in
        unsafe SSL_read_ex(session, free.baseAddress, wanted - received, &count)
      }
      guard result == 1 else {
        let ending = self.ending(result)
        if case .wouldBlock = ending { isReadable = false }
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

  public override func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.count, limit)
    var sent = 0
    while sent < wanted {
      guard flush() else {
        isWritable = false
        if let errno = systemError { return .failed(.system(errno)) }
        break
      }
      ERR_clear_error()
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
    case SSL_ERROR_ZERO_RETURN: return .endOfStream
    default:
      if let errno = systemError { return .failed(.system(errno)) }
      return .failed(.tls(TLSErrorQueue.takeReason() ?? "the connection ended in the middle"))
    }
  }

  private var systemError: Errno? {
    let error = unsafe copenssl_transport_error(transport)
    return error == 0 ? nil : Errno(rawValue: error)
  }

  /// Sends what waits for room; whether nothing does any more.
  private func flush() -> Bool {
    guard socket != nil, unsafe copenssl_unsent(transport) > 0 else { return true }
    guard unsafe copenssl_flush(transport) == 1 else { return false }
    if isFinishing { _ = shutdown(descriptor, Int32(SHUT_WR)) }
    return true
  }

  // MARK: The end

  /// Says that no more will come, in TLS (close_notify) and in TCP.
  public override func finishSending() {
    guard !isFinishing else { return }
    isFinishing = true
    ERR_clear_error()
    unsafe _ = SSL_shutdown(session)
    if let carrier { unsafe _ = SSL_shutdown(carrier.session) }
    if unsafe copenssl_unsent(transport) == 0 { _ = shutdown(descriptor, Int32(SHUT_WR)) }
  }

  public override var undeliveredBytes: Int {
    unsafe max(0, Int(clinux_undelivered_bytes(descriptor))) + Int(copenssl_unsent(transport))
  }

  public override var localAddress: String { SocketAddress.text(of: descriptor, peer: false) }

  public override func hasUnexpectedInput() -> Bool {
    if peerClosed { return true }
    var byte: UInt8 = 0
    var count = 0
    ERR_clear_error()
    let result = unsafe SSL_peek_ex(session, &byte, 1, &count)
    guard result != 1, case .wouldBlock = ending(result) else { return true }
    return false
  }

  public override func abort() {
    guard socket != nil else { return }
    socket?.resetOnClose()
    close()
  }

  public override func close() {
    guard socket != nil else { return }
    loop.remove(self)
    socket = nil
  }
}
