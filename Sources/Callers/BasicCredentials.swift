internal import Bytes
internal import Encodings
internal import Secrets

/// User and password as `Proxy-Authorization: Basic` has them (RFC 7617).
public struct BasicCredentials: Sendable {
  // No caller has longer ones: hash-password takes 1024 bytes at most, and a name has 64.
  private static let mostBytes = 1200

  /// User, colon and password.
  let pair: Secret
  /// Where the colon is.
  private let colon: Int

  /// The credentials in a field's value; nil where it is of another scheme, or not what the scheme asks for.
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

  /// What `text` stands for in base64, with its padding or without; nil where it stands for nothing.
  private static func decoded(_ text: Span<UInt8>) -> Secret? {
    guard let count = Base64.unpaddedCount(text), let length = Base64.decodedCount(count) else { return nil }
    var isRight = false
    let secret = Secret(count: length) { bytes in
      isRight = Base64.standard.decode(text.extracting(first: count)) { bytes[$0] = $1 }
    }
    return isRight ? secret : nil
  }

  /// What was sent, in UTF-8: clients that ignore the charset of a challenge (Python's requests is one) send Latin-1, and
  /// hash-password takes UTF-8 only.
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

  /// The user, who need not exist.
  var user: String {
    pair.withBytes { bytes in String(decoding: (0..<colon).map { bytes[$0] }, as: UTF8.self) }
  }

  /// The password.
  var password: Secret {
    pair.withBytes { bytes in Secret(bytes.extracting(colon + 1..<bytes.count)) }
  }
}
