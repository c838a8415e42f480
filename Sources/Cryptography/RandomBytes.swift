internal import COpenSSL

/// Random numbers fit for keys, nonces and identifiers that nobody may guess.
public enum RandomBytes {
  /// `count` bytes.
  public static func make(_ count: Int) throws(CryptographyError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard unsafe RAND_bytes(&bytes, Int32(count)) == 1 else { throw CryptographyError("drawing random bytes") }
    return bytes
  }
}
