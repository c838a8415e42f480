internal import Bytes
internal import Cryptography
internal import Secrets

/// User and password as `Proxy-Authorization: Basic` has them (RFC 7617).
struct BasicCredentials {
  // Longer ones belong to nobody: hash-password takes 1024 bytes at most, and a name has 64.
  private static let mostBytes = 1200

  /// User, colon and password.
  let pair: Secret
  /// Where the colon is.
  private let colon: Int

  /// The credentials in a field's value; nil where it is of another scheme, or not what the scheme asks for.
  init?(_ value: Span<UInt8>) {
    let scheme = "basic "
    guard value.count > scheme.utf8.count, value.count <= 2 * Self.mostBytes else { return nil }
    var start = 0
    for byte in scheme.utf8 {
      guard value[start] | 0x20 == byte else { return nil }
      start += 1
    }
    while start < value.count, value[start] == UInt8(ascii: " ") { start += 1 }
    guard let pair = Base64.decodeSecret(value.extracting(start..<value.count)), pair.count <= Self.mostBytes,
      let colon = pair.withBytes({ bytes in bytes.indices.first { bytes[$0] == UInt8(ascii: ":") } })
    else { return nil }
    self.pair = pair
    self.colon = colon
  }

  /// The user, who need not exist.
  var user: String {
    pair.withBytes { bytes in String(decoding: (0..<colon).map { bytes[$0] }, as: UTF8.self) }
  }

  /// The password.
  var password: Secret {
    pair.withBytes { bytes in Secret(bytes.extracting(colon + 1..<bytes.count)) }
  }
}
