internal import COpenSSL

/// An algorithm for signatures of JSON Web Tokens (RFC 7518 section 3.1, RFC 8037 section 3.1), by its registered name.
public enum SignatureAlgorithm: String, Hashable, Sendable, CaseIterable {
  /// RSASSA-PKCS1-v1_5 with SHA-256.
  case rs256 = "RS256"
  /// RSASSA-PKCS1-v1_5 with SHA-384.
  case rs384 = "RS384"
  /// RSASSA-PKCS1-v1_5 with SHA-512.
  case rs512 = "RS512"
  /// RSASSA-PSS with SHA-256.
  case ps256 = "PS256"
  /// RSASSA-PSS with SHA-384.
  case ps384 = "PS384"
  /// RSASSA-PSS with SHA-512.
  case ps512 = "PS512"
  /// ECDSA on P-256 with SHA-256.
  case es256 = "ES256"
  /// ECDSA on P-384 with SHA-384.
  case es384 = "ES384"
  /// ECDSA on P-521 with SHA-512.
  case es512 = "ES512"
  /// Ed25519.
  case edDSA = "EdDSA"

  fileprivate var usesPSS: Bool { self == .ps256 || self == .ps384 || self == .ps512 }

  /// The digest; nil for Ed25519, which uses its own.
  fileprivate var digest: OpaquePointer? {
    switch self {
    case .rs256, .ps256, .es256: unsafe EVP_sha256()
    case .rs384, .ps384, .es384: unsafe EVP_sha384()
    case .rs512, .ps512, .es512: unsafe EVP_sha512()
    case .edDSA: nil
    }
  }

  /// The length of R and of S in an ECDSA signature; nil for other algorithms, whose signatures OpenSSL writes in the final
  /// form.
  fileprivate var half: Int? {
    switch self {
    case .es256: 32
    case .es384: 48
    case .es512: 66
    case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .edDSA: nil
    }
  }
}

extension PrivateKey {
  /// Signs `message`; the result has the form of JSON Web Signatures (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1).
  ///
  /// - Precondition: `algorithm` is one of ``algorithms``.
  public func signature(
    of message: [UInt8], by algorithm: SignatureAlgorithm
  ) throws(CryptographyError) -> [UInt8] {
    precondition(algorithms.contains(algorithm), "\(algorithm.rawValue) with a key that is \(kind)")
    let context = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(context) }
    var count = Int(unsafe EVP_PKEY_get_size(key))
    var signature = [UInt8](repeating: 0, count: count)
    var parameters: OpaquePointer?
    guard unsafe EVP_DigestSignInit(context, &parameters, algorithm.digest, nil, key) == 1,
      unsafe !algorithm.usesPSS || copenssl_use_pss(parameters) == 1,
      unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1
    else { throw CryptographyError("signing") }
    signature.removeLast(signature.count - count)
    guard let half = algorithm.half else { return signature }
    return try Self.plain(signature, half: half)
  }

  /// Whether `signature` is a signature of `message` by this key.
  ///
  /// - Precondition: `algorithm` is one of ``algorithms``.
  public func verifies(_ signature: [UInt8], of message: [UInt8], by algorithm: SignatureAlgorithm) -> Bool {
    precondition(algorithms.contains(algorithm), "\(algorithm.rawValue) with a key that is \(kind)")
    let context = unsafe EVP_MD_CTX_new()
    defer {
      unsafe EVP_MD_CTX_free(context)
      // A wrong signature leaves errors in the thread's queue, where a later call would find them.
      ERR_clear_error()
    }
    let encoded = if let half = algorithm.half { Self.encoded(signature, half: half) } else { signature as [UInt8]? }
    guard let encoded else { return false }
    var parameters: OpaquePointer?
    return unsafe EVP_DigestVerifyInit(context, &parameters, algorithm.digest, nil, key) == 1
      && (!algorithm.usesPSS || copenssl_use_pss(parameters) == 1)
      && EVP_DigestVerify(context, encoded, encoded.count, message, message.count) == 1
  }

  /// R and S concatenated (RFC 7518 section 3.4), from OpenSSL's DER.
  private static func plain(_ encoded: [UInt8], half: Int) throws(CryptographyError) -> [UInt8] {
    let parsed = unsafe encoded.withUnsafeBufferPointer { bytes in
      var start = bytes.baseAddress
      return unsafe d2i_ECDSA_SIG(nil, &start, bytes.count)
    }
    defer { unsafe ECDSA_SIG_free(parsed) }
    var plain = [UInt8](repeating: 0, count: 2 * half)
    let isWritten = unsafe plain.withUnsafeMutableBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return false }
      return unsafe BN_bn2binpad(ECDSA_SIG_get0_r(parsed), start, Int32(half)) == half
        && BN_bn2binpad(ECDSA_SIG_get0_s(parsed), start + half, Int32(half)) == half
    }
    guard unsafe parsed != nil, isWritten else { throw CryptographyError("signing") }
    return plain
  }

  /// The DER form for OpenSSL; nil if `plain` is not a signature.
  private static func encoded(_ plain: [UInt8], half: Int) -> [UInt8]? {
    guard plain.count == 2 * half, let signature = unsafe ECDSA_SIG_new() else { return nil }
    defer { unsafe ECDSA_SIG_free(signature) }
    let isSet = unsafe plain.withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return false }
      return unsafe ECDSA_SIG_set0(
        signature, BN_bin2bn(start, Int32(half), nil), BN_bin2bn(start + half, Int32(half), nil)) == 1
    }
    guard isSet else { return nil }
    var encoded = [UInt8](repeating: 0, count: Int(unsafe i2d_ECDSA_SIG(signature, nil)))
    unsafe encoded.withUnsafeMutableBufferPointer { bytes in
      var start = bytes.baseAddress
      _ = unsafe i2d_ECDSA_SIG(signature, &start)
    }
    return encoded
  }
}
