internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104) under a key that was drawn for this process: tells values apart, here and now, and says
/// nothing about them.
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

  /// With a new key.
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
