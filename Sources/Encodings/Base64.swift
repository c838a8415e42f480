/// Base64 (RFC 4648). It works byte by byte in the caller's memory, so that it leaves no copies of secrets behind.
public struct Base64: Sendable {
  /// With the alphabet of section 4.
  public static let standard = Base64("+", "/")
  /// With the alphabet of section 5, which needs no escape in a URL and which JSON Web Tokens use (RFC 7515 section 2).
  public static let url = Base64("-", "_")

  private let last: (UInt8, UInt8)

  private init(_ first: Unicode.Scalar, _ second: Unicode.Scalar) {
    last = (UInt8(ascii: first), UInt8(ascii: second))
  }

  // MARK: Encoding

  /// The length of the encoding of `count` bytes, padding included.
  public static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Hands the encoding of `bytes` to `write`.
  public func encode(_ bytes: Span<UInt8>, isPadded: Bool, _ write: (UInt8) -> Void) {
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let present = min(3, bytes.count - start)
      var group: UInt32 = 0
      for offset in 0..<3 { group = group << 8 | (offset < present ? UInt32(bytes[start + offset]) : 0) }
      for place in 0..<4 {
        let value = UInt8(truncatingIfNeeded: group >> UInt32(18 - 6 * place)) & 63
        if place <= present { write(character(value)) } else if isPadded { write(UInt8(ascii: "=")) }
      }
    }
  }

  /// The encoding of `bytes`, without padding.
  public func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(Self.encodedCount(bytes.count))
    encode(bytes.span, isPadded: false) { text.append($0) }
    return String(decoding: text, as: UTF8.self)
  }

  // MARK: Decoding

  /// How many bytes `count` characters without padding encode; nil if no sequence of bytes has an encoding of this length.
  public static func decodedCount(_ count: Int) -> Int? { count % 4 == 1 ? nil : count * 6 / 8 }

  /// How many characters of `text` precede its optional padding; nil if the padding is wrong.
  public static func unpaddedCount(_ text: Span<UInt8>) -> Int? {
    var count = text.count
    while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
    return count == text.count || text.count.isMultiple(of: 4) ? count : nil
  }

  /// Calls `body` with the position and value of each byte that `text`, without padding, encodes. False if `text` has any other
  /// character, or if leftover bits are not zero: each value has exactly one encoding.
  public func decode(_ text: Span<UInt8>, _ body: (Int, UInt8) -> Void) -> Bool {
    var bits = 0
    var count = 0
    var position = 0
    for index in text.indices {
      guard let value = value(of: text[index]) else { return false }
      bits = bits << 6 | value
      count += 6
      if count >= 8 {
        count -= 8
        body(position, UInt8(bits >> count))
        position += 1
        bits &= 1 << count - 1
      }
    }
    return count < 6 && bits == 0
  }

  /// The bytes that `text`, without padding, encodes; nil if it is not valid.
  public func decode(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8).span) }

  /// The bytes that `text`, without padding, encodes; nil if it is not valid.
  public func decode(_ text: Span<UInt8>) -> [UInt8]? {
    guard let count = Self.decodedCount(text.count) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    return decode(text) { bytes.append($1) } ? bytes : nil
  }

  private func character(_ value: UInt8) -> UInt8 {
    switch value {
    case ..<26: UInt8(ascii: "A") + value
    case ..<52: UInt8(ascii: "a") + value - 26
    case ..<62: UInt8(ascii: "0") + value - 52
    case 62: last.0
    default: last.1
    }
  }

  private func value(of character: UInt8) -> Int? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(character - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(character - UInt8(ascii: "0")) + 52
    case last.0: 62
    case last.1: 63
    default: nil
    }
  }
}

/// The compact form of JSON Web Tokens (RFC 7515 section 7.1): header, payload and signature in base64url, separated by dots.
public enum CompactWebToken {
  /// The payload of `token`; nil if it does not have that form.
  public static func payload(of token: Span<UInt8>) -> [UInt8]? {
    let dots = token.indices.filter { token[$0] == UInt8(ascii: ".") }
    guard dots.count == 2, dots[0] > 0, dots[1] < token.count - 1,
      Base64.url.decode(token.extracting(0..<dots[0])) != nil,
      Base64.url.decode(token.extracting((dots[1] + 1)..<token.count)) != nil
    else { return nil }
    return Base64.url.decode(token.extracting((dots[0] + 1)..<dots[1]))
  }
}
