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
