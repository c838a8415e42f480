public import Bytes
internal import COpenSSL
internal import Cryptography
public import Reactor
public import SecureStreams
public import SystemPackage

/// The server's side of a TLS connection as a byte stream.
@safe public final class TLSStream: SecureStream {
  /// The state of a handshake.
  public enum HandshakeStep {
    /// The connection is encrypted.
    case done
    /// Nothing can be done before the next ``Readiness``.
    case wouldBlock
    /// The client's first message has arrived, and the context may be changed; once, and only if the context pauses there.
    case hello
    /// It failed, and the client was sent an alert.
    case failed(TLSFailure)
  }

  private var socket: Descriptor?

  /// Takes over a connected, non-blocking socket and registers it with `loop`, on whose thread it is used.
  ///
  /// - Parameter received: what has been read from the socket already, if anything.
  public convenience init(
    _ socket: consuming Descriptor, received: ByteBuffer?, _ context: TLSServerContext, on loop: EventLoop
  ) throws(Errno) {
    try self.init(socket, inside: nil, received, context, loop)
  }

  /// Takes over the connection of `carrier`, inside which another TLS connection begins, as when a client requests a tunnel
  /// from an HTTPS proxy.
  ///
  /// - Parameter received: what has been read from `carrier` already, if anything.
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
    let number = socket.number
    let outer = unsafe carrier?.session
    var accepted: OpaquePointer?
    if let received {
      unsafe accepted = received.withUnsafeReadableBytes {
        unsafe copenssl_accept_session(context.context, number, outer, $0.baseAddress, $0.count)
      }
    } else {
      unsafe accepted = unsafe copenssl_accept_session(context.context, number, outer, nil, 0)
    }
    guard let accepted = unsafe accepted else { throw .noMemory }
    self.socket = consume socket
    try super.init(on: number, inside: carrier, loop)
    unsafe adopt(accepted)
  }

  private func handOver() -> Descriptor? {
    detach() ? socket.take() : nil
  }

  public override func releaseSocket() {
    socket = nil
  }

  deinit {
    close()
    unsafe SSL_free(session)
  }

  // MARK: The handshake

  /// Continues the handshake until it has to wait.
  public func handshake() -> HandshakeStep {
    ERR_clear_error()
    let result = unsafe SSL_do_handshake(session)
    if result == 1 {
      // Bytes after the client's last message were read together with it, maybe before the kernel announced either.
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
    // The client reset the connection with unread bytes, as clients of GnuTLS do when they reject a certificate.
    case .connectionReset, .brokenPipe: return .closed
    case let errno?: return .system(errno)
    case nil: break
    }
    guard let reason = TLSErrorQueue.take(), reason.code != SSL_R_UNEXPECTED_EOF_WHILE_READING else { return .closed }
    return TLSFailure(
      reason: reason,
      versions: unsafe (offered: SSL_client_version(session), minimum: copenssl_minimum_version(session)),
      lacksHTTP11: unsafe copenssl_lacks_http11(transport) == 1,
      verification: Int32(clamping: unsafe SSL_get_verify_result(session)),
      rejected: unsafe copenssl_rejected_certificate(transport).map { unsafe Certificate(owning: $0) })
  }

  /// Replaces the certificate of the session. Only after ``HandshakeStep/hello``.
  public func use(_ context: TLSServerContext) {
    unsafe _ = SSL_set_SSL_CTX(session, context.context)
  }

  /// The name that the client requested (SNI, RFC 6066 section 3), from ``HandshakeStep/hello`` on; nil if there is none.
  public var serverName: String? {
    let name = unsafe String(cString: copenssl_server_name(transport))
    return name.isEmpty ? nil : name
  }

  /// The client's verified certificate; nil if it sent none.
  public var peerCertificate: PeerCertificate? {
    guard let certificate = unsafe SSL_get0_peer_certificate(session) else { return nil }
    return unsafe PeerCertificate(reading: certificate)
  }
}
