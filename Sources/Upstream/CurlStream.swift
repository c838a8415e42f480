internal import Bytes
internal import CCurl
internal import COpenSSL
internal import Reactor
internal import SecureStreams
internal import SystemPackage

/// A TLS connection that libcurl made, and verified, and will close.
///
/// Its bytes do not go through `curl_easy_recv` and `curl_easy_send`, which look for the connection anew at each call, and
/// through a transport that is of use inside libcurl only: docs/decisions/0010-tls-upstream.md.
final class CurlStream: SecureStream {
  private let transfer: CurlTransfer
  // Sent by the upstream before anything else: nobody has asked for it, but it is not lost.
  private var early: UInt8?

  /// Takes over the connection of a transfer that has connected.
  init(_ transfer: CurlTransfer, descriptor: Int32, on loop: EventLoop) throws(UpstreamError) {
    self.transfer = transfer
    // libcurl shows the session of a connection only when it has been read from, or written to.
    var byte: UInt8 = 0
    var count = 0
    let code = unsafe curl_easy_recv(transfer.easy, &byte, 1, &count)
    if code == CURLE_OK, count == 1 { early = byte }
    do throws(Errno) {
      guard let session = unsafe ccurl_tls(transfer.easy) else { throw .socketNotConnected }
      let tls = OpaquePointer(session)
      guard unsafe copenssl_take_over_session(tls, descriptor) == 1 else { throw .noMemory }
      try unsafe super.init(tls, on: descriptor, loop)
    } catch {
      transfer.close()
      throw .other("the connection cannot be used: \(error)")
    }
  }

  deinit { close() }

  override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    guard let byte = early else { return super.receive(into: buffer, limit: limit) }
    early = nil
    buffer.append(byte)
    return .transferred(1)
  }

  override func hasUnexpectedInput() -> Bool {
    early != nil || super.hasUnexpectedInput()
  }

  override func releaseSocket() {
    transfer.close()
  }
}
