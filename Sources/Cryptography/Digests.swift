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

  /// Derives `count` bytes from `secret` for the purpose that `info` names (RFC 5869 section 2).
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

/// HMAC with SHA-256 (RFC 2104) with a random key of this process: identifies values within the process, and reveals nothing
/// about them.
public struct KeyedDigest: Sendable, CustomReflectable {
  /// The digest of one value.
  public struct Value: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    fileprivate init(_ bytes: [UInt8]) {
      func word(_ index: Int) -> UInt64 {
        bytes[8 * index..<8 * index + 8].reduce(0) { $0 << 8 | UInt64($1) }
      }
      words = (word(0), word(1), word(2), word(3))
    }

    /// Whether both are digests of the same value.
    public static func == (one: Value, other: Value) -> Bool { one.words == other.words }

    /// Feeds the digest into `hasher`.
    public func hash(into hasher: inout Hasher) {
      hasher.combine(words.0)
      hasher.combine(words.1)
    }
  }

  private let key: [UInt8]

  /// Creates a new key.
  public init() throws(CryptographyError) { key = try RandomBytes.make(32) }

  /// The digest of `bytes`.
  public func digest(of bytes: Span<UInt8>) throws(CryptographyError) -> Value {
    var digest = [UInt8](repeating: 0, count: 32)
    let isMade = unsafe bytes.withUnsafeBytes {
      unsafe HMAC(
        EVP_sha256(), key, Int32(key.count), $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count, &digest, nil
      )
        != nil
    }
    guard isMade else { throw CryptographyError("HMAC") }
    return Value(digest)
  }

  /// Shows nothing of the key.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Random numbers fit for keys, nonces and identifiers that must not be guessed.
public enum RandomBytes {
  /// `count` bytes.
  public static func make(_ count: Int) throws(CryptographyError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard unsafe RAND_bytes(&bytes, Int32(count)) == 1 else { throw CryptographyError("drawing random bytes") }
    return bytes
  }
}

/// A failure of OpenSSL that no input explains, such as lack of memory.
public struct CryptographyError: Error, Hashable, CustomStringConvertible {
  /// What failed, and OpenSSL's reason; never anything about a key.
  public let description: String

  /// The failure of `operation`, with the reason from this thread's OpenSSL error queue, which this empties.
  package init(_ operation: String) {
    let code = ERR_get_error()
    let reason = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
    ERR_clear_error()
    description = "\(operation) failed: \(reason ?? "OpenSSL gives no reason")"
  }
}
