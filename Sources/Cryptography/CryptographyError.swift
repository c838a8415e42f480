internal import COpenSSL

/// A failure of OpenSSL's that no input explains, such as one for want of memory.
public struct CryptographyError: Error, Hashable, CustomStringConvertible {
  /// What failed, and what OpenSSL says about it; nothing of any key.
  public let description: String

  /// The failure of `operation`, with the reason from OpenSSL's queue of this thread, which is empty afterwards.
  package init(_ operation: String) {
    let code = ERR_get_error()
    let reason = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
    ERR_clear_error()
    description = "\(operation) failed: \(reason ?? "OpenSSL gives no reason")"
  }
}
