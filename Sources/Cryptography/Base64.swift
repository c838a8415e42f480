public import Secrets

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
