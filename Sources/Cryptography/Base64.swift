public import Secrets

/// One of the alphabets of base64 (RFC 4648): six bits of the bytes are one character.
struct Base64Alphabet: Sendable {
  /// That of base64 itself (section 4).
  static let standard = Base64Alphabet("+", "/")
  /// That which needs no escape in a URL (section 5).
  static let url = Base64Alphabet("-", "_")

  private let last: (UInt8, UInt8)

  private init(_ first: Unicode.Scalar, _ second: Unicode.Scalar) {
    last = (UInt8(ascii: first), UInt8(ascii: second))
  }

  /// The text of `bytes`, without padding.
  func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count * 4 + 2) / 3)
    var bits = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | Int(byte)
      count += 8
      while count >= 6 {
        count -= 6
        text.append(character(bits >> count & 63))
      }
      bits &= 1 << count - 1
    }
    if count > 0 { text.append(character(bits << (6 - count) & 63)) }
    return String(decoding: text, as: UTF8.self)
  }

  /// How many bytes `count` characters stand for; nil where no bytes have so many.
  static func bytes(in count: Int) -> Int? { count % 4 == 1 ? nil : count * 6 / 8 }

  /// Calls `body` with each of the bytes that `text` stands for, which has no padding. False for any other character, and
  /// where bits are left over that are not zero: one value has one text.
  func decode(_ text: Span<UInt8>, _ body: (Int, UInt8) -> Void) -> Bool {
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

  private func character(_ value: Int) -> UInt8 {
    switch value {
    case ..<26: UInt8(ascii: "A") + UInt8(value)
    case ..<52: UInt8(ascii: "a") + UInt8(value - 26)
    case ..<62: UInt8(ascii: "0") + UInt8(value - 52)
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

/// Base64 (RFC 4648 4).
public enum Base64 {
  /// The text of `bytes`, without padding.
  public static func encodeWithoutPadding(_ bytes: [UInt8]) -> String { Base64Alphabet.standard.encode(bytes) }

  /// The bytes that `text` stands for, which has no padding; nil where it stands for none.
  static func decodeWithoutPadding(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    let characters = Array(text.utf8)
    return Base64Alphabet.standard.decode(characters.span) { bytes.append($1) } ? bytes : nil
  }

  /// What `text` stands for, with its padding or without; nil where it stands for nothing.
  public static func decodeSecret(_ text: Span<UInt8>) -> Secret? {
    var count = text.count
    while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
    guard count == text.count || text.count.isMultiple(of: 4), let length = Base64Alphabet.bytes(in: count) else {
      return nil
    }
    var isRight = false
    let secret = Secret(count: length) { bytes in
      isRight = Base64Alphabet.standard.decode(text.extracting(first: count)) { bytes[$0] = $1 }
    }
    return isRight ? secret : nil
  }
}

/// Base64 with the URL-safe alphabet and without padding (RFC 4648 5, RFC 7515 2).
public enum Base64URL {
  /// The text of `bytes`.
  public static func encode(_ bytes: [UInt8]) -> String { Base64Alphabet.url.encode(bytes) }

  /// The bytes that `text` stands for; nil for any other character, and where bits are left over that are not zero:
  /// one value has one text.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    let characters = Array(text.utf8)
    return Base64Alphabet.url.decode(characters.span) { bytes.append($1) } ? bytes : nil
  }
}
