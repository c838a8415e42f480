internal import Bytes
internal import CCurl
internal import COpenSSL
internal import Reactor
internal import SecureStreams
internal import SystemPackage

/// A TLS connection that libcurl makes, verifies and closes.
///
/// Up to the first response its bytes go through `curl_easy_recv` and `curl_easy_send`: the session tickets arrive with
/// that response, and libcurl keeps them for the next connection only if it reads them itself. After that the session
/// is used without libcurl: docs/decisions/0010-tls-upstream.md.
final class CurlStream: SecureStream {
  private let transfer: CurlTransfer
  private var isTakenOver = false

  /// Takes over the connection of a transfer that has connected.
  ///
  /// - Parameter acceptsTruncation: whether the server may end without close_notify.
  init(
    _ transfer: CurlTransfer, descriptor: Int32, acceptsTruncation: Bool, on loop: EventLoop
  ) throws(UpstreamError) {
    self.transfer = transfer
    do throws(Errno) {
      try super.init(on: descriptor, loop)
    } catch {
      transfer.close()
      throw .other("the connection cannot be watched: \(error)")
    }
    self.acceptsTruncation = acceptsTruncation
  }

  deinit { close() }

  /// The alert with which the server reported a failure. In TLS 1.3, an alert about the client's certificate arrives
  /// after the handshake.
  var alert: TLSAlert? { transfer.alert }

  override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    guard !isTakenOver else { return super.receive(into: buffer, limit: limit) }
    let wanted = min(buffer.freeSpace, limit)
    var count = 0
    let code = unsafe buffer.withUnsafeFreeSpace { free in
      unsafe curl_easy_recv(transfer.easy, free.baseAddress, wanted, &count)
    }
    switch code {
    case CURLE_OK where count > 0:
      buffer.commit(count)
      takeOver()
      return .transferred(count)
    case CURLE_OK:
      return endOfStream(isClean: hasReceivedCloseNotify)
    case CURLE_AGAIN:
      isReadable = false
      return .wouldBlock
    default:
      return .failed(.tls(Self.text(of: code)))
    }
  }

  /// Whether the server has sent close_notify. libcurl does not tell it from the end of TCP alone.
  private var hasReceivedCloseNotify: Bool {
    guard let session = unsafe ccurl_tls(transfer.easy) else { return false }
    return unsafe SSL_get_shutdown(OpaquePointer(session)) & SSL_RECEIVED_SHUTDOWN != 0
  }

  override func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    guard !isTakenOver else { return super.send(from: buffer, limit: limit) }
    let wanted = min(buffer.count, limit)
    var count = 0
    let code = unsafe buffer.withUnsafeReadableBytes { bytes in
      unsafe curl_easy_send(transfer.easy, bytes.baseAddress, wanted, &count)
    }
    switch code {
    case CURLE_OK where count > 0:
      buffer.consume(count)
      return .transferred(count)
    case CURLE_OK, CURLE_AGAIN:
      isWritable = false
      return .wouldBlock
    default:
      return .failed(.tls(Self.text(of: code)))
    }
  }

  /// Uses the session without libcurl from here on; if that is impossible, libcurl stays in use.
  private func takeOver() {
    // The kernel does not announce what the session has already buffered.
    isReadable = true
    guard let session = unsafe ccurl_tls(transfer.easy) else { return }
    let tls = OpaquePointer(session)
    guard unsafe copenssl_take_over_session(tls, descriptor) == 1 else { return }
    unsafe adopt(tls)
    isTakenOver = true
  }

  override func hasUnexpectedInput() -> Bool {
    guard !isTakenOver else { return super.hasUnexpectedInput() }
    guard !peerClosed else { return true }
    var byte: UInt8 = 0
    var count = 0
    let code = unsafe curl_easy_recv(transfer.easy, &byte, 1, &count)
    isReadable = false
    return code != CURLE_AGAIN
  }

  override func finishSending() {
    if isOpen, !isTakenOver { takeOver() }
    if isTakenOver { super.finishSending() }
  }

  override func abort() {
    // Without close_notify, which would say that the end was intended.
    if isOpen, !isTakenOver, let session = unsafe ccurl_tls(transfer.easy) {
      unsafe SSL_set_quiet_shutdown(OpaquePointer(session), 1)
    }
    super.abort()
  }

  override func releaseSocket() {
    transfer.close()
  }

  private static func text(of code: CURLcode) -> String {
    unsafe String(cString: curl_easy_strerror(code))
  }
}
