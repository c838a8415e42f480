internal import COpenSSL
public import Secrets

/// SHA-256 (FIPS 180-4), and HKDF with it (RFC 5869).
public enum SHA256 {
  /// The 32 bytes of the digest of `message`.
  public static func digest(of message: Span<UInt8>) throws(CryptographyError) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let status = unsafe message.withUnsafeBytes {
      unsafe EVP_Digest($0.baseAddress, $0.count, &digest, nil, EVP_sha256(), nil)
    }
    guard status == 1 else { throw CryptographyError("SHA-256") }
    return digest
  }

  /// `count` bytes derived from `secret` for the purpose that `info` names (RFC 5869 2).
  ///
  /// - Precondition: `count` is from 1 to 8,160, and `secret` is not empty.
  public static func derive(
    _ count: Int, from secret: Secret, salt: [UInt8], info: [UInt8]
  ) throws(CryptographyError) -> Secret {
    precondition((1...255 * 32).contains(count), "HKDF gives up to 8,160 bytes")
    precondition(!secret.isEmpty, "HKDF needs something to derive from")
    return try Secret(count: count) { derived throws(CryptographyError) in
      let status = secret.withBytes { secret in
        unsafe secret.withUnsafeBytes { secret in
          unsafe derived.withUnsafeMutableBufferPointer { derived in
            unsafe copenssl_hkdf_sha256(
              secret.baseAddress, secret.count, salt, salt.count, info, info.count, derived.baseAddress, derived.count)
          }
        }
      }
      guard status == 1 else { throw CryptographyError("HKDF") }
    }
  }
}
