internal import COpenSSL
public import Secrets

/// Authenticated encryption with AES-256 in Galois/Counter Mode (NIST SP 800-38D).
///
/// A sealed message is the nonce (12 bytes, random, so that one key serves 2^32 messages), the encrypted bytes, and the
/// tag (16 bytes).
public enum AES256GCM {
  /// The length of a key, in bytes.
  public static let keyCount = 32
  /// How many bytes a sealed message is longer than its contents.
  public static let overhead = nonceCount + tagCount

  private static let nonceCount = 12
  private static let tagCount = 16

  /// Seals `plaintext` with `key`; `context` is not part of the message, but must be the same when it is opened.
  ///
  /// - Precondition: `key` has ``keyCount`` bytes.
  public static func seal(
    _ plaintext: Secret, by key: Secret, context: [UInt8] = []
  ) throws(CryptographyError) -> [UInt8] {
    try seal(plaintext, by: key, context: context, nonce: try RandomBytes.make(nonceCount))
  }

  /// As above, with a given nonce, which must never have been used with the key: for known-answer tests.
  static func seal(
    _ plaintext: Secret, by key: Secret, context: [UInt8], nonce: [UInt8]
  ) throws(CryptographyError) -> [UInt8] {
    precondition(key.count == keyCount && nonce.count == nonceCount, "a key or nonce of the wrong length")
    let cipher = unsafe EVP_CIPHER_CTX_new()
    defer { unsafe EVP_CIPHER_CTX_free(cipher) }
    var encrypted = [UInt8](repeating: 0, count: plaintext.count)
    var tag = [UInt8](repeating: 0, count: tagCount)
    var count: Int32 = 0
    var rest: Int32 = 0
    let isSealed = key.withBytes { key in
      unsafe key.withUnsafeBufferPointer {
        unsafe EVP_EncryptInit_ex2(cipher, EVP_aes_256_gcm(), $0.baseAddress, nonce, nil) == 1
      }
    }
    guard isSealed, unsafe EVP_EncryptUpdate(cipher, nil, &count, context, Int32(context.count)) == 1,
      plaintext.withBytes({ bytes in
        unsafe bytes.withUnsafeBufferPointer {
          unsafe EVP_EncryptUpdate(cipher, &encrypted, &count, $0.baseAddress, Int32($0.count)) == 1
        }
      }), Int(count) == plaintext.count, unsafe EVP_EncryptFinal_ex(cipher, &tag, &rest) == 1,
      unsafe EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(tagCount), &tag) == 1
    else { throw CryptographyError("encrypting") }
    return nonce + encrypted + tag
  }

  /// Opens `sealed`; nil if it was not sealed with `key` and this `context`, or was changed since.
  ///
  /// - Precondition: `key` has ``keyCount`` bytes.
  public static func open(_ sealed: [UInt8], by key: Secret, context: [UInt8] = []) throws(CryptographyError) -> Secret?
  {
    precondition(key.count == keyCount, "a key of the wrong length")
    guard sealed.count >= overhead else { return nil }
    let nonce = Array(sealed.prefix(nonceCount))
    let encrypted = Array(sealed.dropFirst(nonceCount).dropLast(tagCount))
    var tag = Array(sealed.suffix(tagCount))
    let cipher = unsafe EVP_CIPHER_CTX_new()
    defer { unsafe EVP_CIPHER_CTX_free(cipher) }
    var count: Int32 = 0
    let isReady = key.withBytes { key in
      unsafe key.withUnsafeBufferPointer {
        unsafe EVP_DecryptInit_ex2(cipher, EVP_aes_256_gcm(), $0.baseAddress, nonce, nil) == 1
      }
    }
    guard isReady, unsafe EVP_DecryptUpdate(cipher, nil, &count, context, Int32(context.count)) == 1,
      unsafe EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(tagCount), &tag) == 1
    else { throw CryptographyError("decrypting") }
    let plaintext = try Secret(count: encrypted.count) { bytes throws(CryptographyError) in
      let status = unsafe bytes.withUnsafeMutableBufferPointer {
        unsafe EVP_DecryptUpdate(cipher, $0.baseAddress, &count, encrypted, Int32(encrypted.count))
      }
      guard status == 1 else { throw CryptographyError("decrypting") }
    }
    var rest: UInt8 = 0
    guard unsafe EVP_DecryptFinal_ex(cipher, &rest, &count) == 1 else {
      ERR_clear_error()
      return nil
    }
    return plaintext
  }
}
