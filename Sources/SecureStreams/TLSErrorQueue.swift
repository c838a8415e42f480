internal import COpenSSL

/// What OpenSSL noted about the failures of this thread.
public enum TLSErrorQueue {
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
