internal import Bytes
internal import Encodings
internal import Secrets

/// User and password of `Proxy-Authorization: Basic` (RFC 7617).
public struct BasicCredentials: Sendable {
  // No caller's credentials are longer: hash-password accepts at most 1024 bytes, and a name has at most 64.
  private static let mostBytes = 1200

  /// User, colon and password.
  let pair: Secret
  /// Where the colon is.
  private let colon: Int

  /// Parses a field's value; nil if the scheme is not Basic, or the value is malformed.
  public init?(_ value: Span<UInt8>) {
    let scheme = "basic "
    guard value.count > scheme.utf8.count, value.count <= 2 * Self.mostBytes else { return nil }
    var start = 0
    for byte in scheme.utf8 {
      guard value[start] | 0x20 == byte else { return nil }
      start += 1
    }
    while start < value.count, value[start] == UInt8(ascii: " ") { start += 1 }
    guard let sent = Self.decoded(value.extracting(start..<value.count)), sent.count <= Self.mostBytes else {
      return nil
    }
    let pair = Self.inUTF8(sent)
    guard let colon = pair.withBytes({ bytes in bytes.indices.first { bytes[$0] == UInt8(ascii: ":") } }) else {
      return nil
    }
    self.pair = pair
    self.colon = colon
  }

  /// Decodes base64 `text`, with or without padding; nil if it is not valid.
  private static func decoded(_ text: Span<UInt8>) -> Secret? {
    guard let count = Base64.unpaddedCount(text), let length = Base64.decodedCount(count) else { return nil }
    var isRight = false
    let secret = Secret(count: length) { bytes in
      isRight = Base64.standard.decode(text.extracting(first: count)) { bytes[$0] = $1 }
    }
    return isRight ? secret : nil
  }

  /// The credentials in UTF-8. Clients that ignore the charset of a challenge (Python's requests is one) send Latin-1, but
  /// hash-password accepts only UTF-8.
  private static func inUTF8(_ sent: Secret) -> Secret {
    sent.withBytes { bytes in
      guard (try? UTF8Span(validating: bytes)) == nil else { return sent }
      return Secret(count: bytes.count + bytes.indices.count { bytes[$0] >= 0x80 }) { utf8 in
        var position = 0
        for index in bytes.indices {
          for unit in Unicode.Scalar(bytes[index]).utf8 {
            utf8[position] = unit
            position += 1
          }
        }
      }
    }
  }

  /// The user, which need not exist.
  var user: String {
    pair.withBytes { bytes in String(decoding: (0..<colon).map { bytes[$0] }, as: UTF8.self) }
  }

  /// The password.
  var password: Secret {
    pair.withBytes { bytes in Secret(bytes.extracting(colon + 1..<bytes.count)) }
  }
}
