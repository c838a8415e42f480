internal import COpenSSL

// Sendable: OpenSSL allows any number of threads to use a key that nobody changes.
/// An RSA key that signs with RS256 (RFC 7518 3.3), and checks what it signed.
@safe final class SigningKey: @unchecked Sendable {
  /// The thumbprint of the public key (RFC 7638), which tokens name as `kid`.
  let identifier: String
  /// The modulus, base64url.
  let modulus: String
  /// The public exponent, base64url.
  let exponent: String

  // Owned by this object alone.
  private let key: OpaquePointer

  /// Generates a key of 2,048 bits.
  init() throws(SandboxError) {
    guard let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else { throw Self.error() }
    defer { unsafe EVP_PKEY_CTX_free(context) }
    var generated: OpaquePointer?
    guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) == 1,
      unsafe EVP_PKEY_keygen(context, &generated) == 1, let key = unsafe generated
    else { throw Self.error() }
    guard let modulus = unsafe Self.number("n", of: key), let exponent = unsafe Self.number("e", of: key) else {
      unsafe EVP_PKEY_free(key)
      throw Self.error()
    }
    unsafe self.key = key
    self.modulus = Base64URL.encode(modulus)
    self.exponent = Base64URL.encode(exponent)
    // RFC 7638 3.2: the required members in the order of their names, without whitespace.
    let members = #"{"e":"\#(self.exponent)","kty":"RSA","n":"\#(self.modulus)"}"#
    identifier = Base64URL.encode(Self.sha256(Array(members.utf8)))
  }

  deinit { unsafe EVP_PKEY_free(key) }

  /// The signature of `message`.
  func sign(_ message: [UInt8]) throws(SandboxError) -> [UInt8] {
    let context = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(context) }
    var count = Int(unsafe EVP_PKEY_get_size(key))
    var signature = [UInt8](repeating: 0, count: count)
    guard unsafe EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
      unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1
    else { throw Self.error() }
    return Array(signature[..<count])
  }

  /// Whether `signature` is this key's for `message`.
  func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    let context = unsafe EVP_MD_CTX_new()
    defer {
      unsafe EVP_MD_CTX_free(context)
      // A wrong signature leaves errors in the thread's queue, where a later call would find them.
      ERR_clear_error()
    }
    return unsafe EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }

  private static func number(_ name: String, of key: OpaquePointer) -> [UInt8]? {
    var number: OpaquePointer?
    guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1 else { return nil }
    defer { unsafe BN_free(number) }
    var bytes = [UInt8](repeating: 0, count: (Int(unsafe BN_num_bits(number)) + 7) / 8)
    unsafe BN_bn2bin(number, &bytes)
    return bytes
  }

  private static func sha256(_ message: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe EVP_Digest(message, message.count, &digest, nil, EVP_sha256(), nil)
    return digest
  }

  private static func error() -> SandboxError {
    var text = [CChar](repeating: 0, count: 256)
    unsafe ERR_error_string_n(ERR_get_error(), &text, text.count)
    ERR_clear_error()
    let detail = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return .cryptography(String(decoding: detail, as: UTF8.self))
  }
}
