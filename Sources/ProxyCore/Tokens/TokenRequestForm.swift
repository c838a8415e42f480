/// What matters of a token request that is answered with a placeholder: who asks, and with which secret, does not.
struct TokenRequestForm {
  /// The grant that is asked for; nil where the form names none, or is none.
  private(set) var grantType: String?
  /// The scopes that are asked for.
  private(set) var scope: String?
  /// Whether one of both is there twice, which it must not be (RFC 6749 section 3.2).
  private(set) var hasRepetition = false

  /// Reads a form (`application/x-www-form-urlencoded`).
  init(_ content: [UInt8]) {
    for field in content.split(separator: UInt8(ascii: "&")) {
      let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      switch Self.decoded(parts[0]) {
      case "grant_type": grantType = taken(parts[1], after: grantType)
      case "scope": scope = taken(parts[1], after: scope)
      default: continue
      }
    }
  }

  private mutating func taken(_ value: ArraySlice<UInt8>, after earlier: String?) -> String? {
    if earlier != nil { hasRepetition = true }
    // A parameter without a value counts as left out.
    return value.isEmpty ? earlier : Self.decoded(value)
  }

  private static func decoded(_ text: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard rest.count >= 2, let value = hexadecimal(rest.prefix(2)) else {
          bytes.append(byte)
          continue
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt8? {
    let text = String(decoding: digits, as: UTF8.self)
    return text.first == "+" || text.first == "-" ? nil : UInt8(text, radix: 16)
  }
}
