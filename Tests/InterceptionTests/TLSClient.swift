import COpenSSL
import Foundation
import Glibc

/// The client's side of a TLS connection, blocking, on a thread of the test's own; it verifies nothing.
@safe final class TLSClient: @unchecked Sendable {
  private let context: OpaquePointer
  private let session: OpaquePointer
  private let descriptor: Int32

  /// A client on a connected socket, which it closes.
  init(owning descriptor: Int32) throws {
    guard let context = unsafe SSL_CTX_new(TLS_client_method()), let session = unsafe SSL_new(context) else {
      throw POSIXError(.ENOMEM)
    }
    unsafe self.context = context
    unsafe self.session = session
    self.descriptor = descriptor
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    unsafe _ = SSL_set_fd(session, descriptor)
    unsafe SSL_set_connect_state(session)
  }

  deinit {
    unsafe SSL_free(session)
    unsafe SSL_CTX_free(context)
    _ = Glibc.close(descriptor)
  }

  func handshake() -> Bool { unsafe SSL_do_handshake(session) == 1 }

  func send(_ text: String) {
    var sent = 0
    unsafe _ = SSL_write_ex(session, text, text.utf8.count, &sent)
  }

  /// What comes up to the end, and whether that was said in TLS.
  func readToEnd() -> (bytes: [UInt8], isOrderly: Bool) {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65536)
    while true {
      var count = 0
      let result = unsafe SSL_read_ex(session, &piece, piece.count, &count)
      guard result == 1 else { return (bytes, unsafe SSL_get_error(session, result) == SSL_ERROR_ZERO_RETURN) }
      bytes += piece.prefix(count)
    }
  }

  /// The next bytes, as text.
  func read() -> String {
    var piece = [UInt8](repeating: 0, count: 65536)
    var count = 0
    unsafe _ = SSL_read_ex(session, &piece, piece.count, &count)
    return String(decoding: piece.prefix(count), as: UTF8.self)
  }
}
