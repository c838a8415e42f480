internal import Cryptography
internal import Secrets
internal import Tokens

/// The content of a token's file: a header of five bytes, and the rest sealed by AES-256-GCM.
///
/// Sealed are the moment of the request in seconds since 1970 and the lifetime in nanoseconds, eight bytes each in
/// network order, and the token. Header and name of the file are authenticated with it.
enum SealedToken {
  /// The longest file there can be, in bytes.
  static let longest = header.count + AES256GCM.overhead + timesCount + AccessToken.longestToken

  // "M2MT", and the version of the format.
  private static let header: [UInt8] = [0x4D, 0x32, 0x4D, 0x54, 1]
  private static let timesCount = 16
  private static let purpose = Array("m2m-proxy token store 1".utf8)

  /// A key for the file whose name has the digest `salt`.
  static func key(from secret: Secret, salt: [UInt8]) throws(TokenStoreProblem) -> Secret {
    do {
      return try SHA256.derive(AES256GCM.keyCount, from: secret, salt: salt, info: purpose)
    } catch { throw TokenStoreProblem(.unusable, "\(error)") }
  }

  /// The bytes of a file that holds `token`.
  static func seal(_ token: StoredToken, by key: Secret, context: [UInt8]) throws(TokenStoreProblem) -> [UInt8] {
    let (seconds, attoseconds) = token.lifetime.components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let lifetime = overflow ? Int64.max : whole + attoseconds / 1_000_000_000
    let plain = Secret(count: timesCount + token.token.count) { bytes in
      for index in 0..<8 {
        bytes[index] = UInt8(truncatingIfNeeded: token.requestedAt >> (56 - 8 * index))
        bytes[8 + index] = UInt8(truncatingIfNeeded: lifetime >> (56 - 8 * index))
      }
      token.token.withBytes { token in
        for index in token.indices { bytes[timesCount + index] = token[index] }
      }
    }
    do { return header + (try AES256GCM.seal(plain, by: key, context: header + context)) } catch {
      throw TokenStoreProblem(.unusable, "\(error)")
    }
  }

  /// What `bytes` hold; nil when they are no such file, or none that one of `keys` opens.
  static func open(_ bytes: [UInt8], by keys: [Secret], context: [UInt8]) throws(TokenStoreProblem) -> StoredToken? {
    guard bytes.starts(with: header) else { return nil }
    let sealed = Array(bytes.dropFirst(header.count))
    for key in keys {
      do {
        guard let plain = try AES256GCM.open(sealed, by: key, context: header + context) else { continue }
        return plain.withBytes(token)
      } catch { throw TokenStoreProblem(.unusable, "\(error)") }
    }
    return nil
  }

  private static func token(_ plain: Span<UInt8>) -> StoredToken? {
    guard plain.count > timesCount else { return nil }
    func number(at start: Int) -> Int64 { (start..<start + 8).reduce(0) { $0 << 8 | Int64(plain[$1]) } }
    return StoredToken(
      token: Secret(plain.extracting(timesCount...)), requestedAt: number(at: 0),
      lifetime: .nanoseconds(number(at: 8)))
  }
}
