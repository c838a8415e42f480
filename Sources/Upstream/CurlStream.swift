internal import Bytes
internal import CCurl
internal import CLinux
internal import COpenSSL
internal import Glibc
internal import Reactor

/// A TLS connection that libcurl made and keeps: `curl_easy_recv` and `curl_easy_send` on the loop's terms.
final class CurlStream: ByteStream {
  private let transfer: CurlTransfer
  private let descriptor: Int32
  private let loop: EventLoop
  private var isOpen = true

  /// Takes over the connection of a transfer that has connected.
  init(_ transfer: CurlTransfer, descriptor: Int32, on loop: EventLoop) throws(UpstreamError) {
    self.transfer = transfer
    self.descriptor = descriptor
    self.loop = loop
    super.init()
    do {
      try loop.register(self, stream: descriptor)
    } catch {
      transfer.close()
      throw .other("the connection cannot be watched: \(error)")
    }
    // What the handshake left behind in TLS's buffers is not announced by the kernel.
    isReadable = true
  }

  deinit { close() }

  override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.freeSpace, limit)
    var count = 0
    let code = unsafe buffer.withUnsafeFreeSpace { free in
      unsafe curl_easy_recv(transfer.easy, free.baseAddress, wanted, &count)
    }
    switch code {
    case CURLE_OK where count > 0:
      buffer.commit(count)
      return .transferred(count)
    case CURLE_OK:
      return .endOfStream
    case CURLE_AGAIN:
      isReadable = false
      return .wouldBlock
    default:
      return .failed(.tls(Self.text(of: code)))
    }
  }

  override func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
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

  // The end of TCP alone would look like an attack that cuts the connection short.
  override func finishSending() {
    guard let tls = unsafe ccurl_tls(transfer.easy),
      unsafe copenssl_finish_sending(OpaquePointer(tls), descriptor) == 1
    else {
      _ = shutdown(descriptor, Int32(SHUT_WR))
      return
    }
  }

  override var undeliveredBytes: Int { max(0, Int(clinux_undelivered_bytes(descriptor))) }

  // Session tickets arrive on an idle connection too; reading lets TLS deal with them.
  override func hasUnexpectedInput() -> Bool {
    guard !peerClosed else { return true }
    var byte: UInt8 = 0
    var count = 0
    let code = unsafe curl_easy_recv(transfer.easy, &byte, 1, &count)
    isReadable = false
    return code != CURLE_AGAIN
  }

  override func abort() {
    guard isOpen else { return }
    // Without close_notify, which would say that the end was meant.
    if let tls = unsafe ccurl_tls(transfer.easy) { unsafe SSL_set_quiet_shutdown(OpaquePointer(tls), 1) }
    // Lingering for no time at all makes the kernel send RST (socket(7), SO_LINGER).
    var linger = linger(l_onoff: 1, l_linger: 0)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  override func close() {
    guard isOpen else { return }
    isOpen = false
    loop.remove(self)
    transfer.close()
  }

  private static func text(of code: CURLcode) -> String {
    unsafe String(cString: curl_easy_strerror(code))
  }
}
